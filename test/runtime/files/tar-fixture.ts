import type { TarEntry } from '../../../runtime/files/tar-format.ts';
import { tarEnd, tarHeader, tarPadding } from '../../../runtime/files/tar-writer.ts';

/** A member for a test's archive: the rest of its header has plain values. */
export type Member = Partial<Omit<TarEntry, 'size'>> & { name: string; content?: string | Buffer };

/** The bytes of an archive. */
export function tarOf(...members: Member[]): Buffer {
  const parts = members.flatMap((member) => {
    const { content = '', ...said } = member;
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    return [tarHeader({ ...PLAIN, ...said, size: bytes.length }), bytes, tarPadding(bytes.length)];
  });
  return Buffer.concat([...parts, tarEnd()]);
}

const PLAIN: Omit<TarEntry, 'name'> = {
  ...{
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: 1_700_000_000,
    linkName: '',
    attributes: {},
  },
};
