import { EngineError } from '../../engine-error.ts';
import type { TmpfsConfig } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';
import { parseTmpfs } from '../tmpfs.ts';
import type { Machine } from './machine.ts';

/** The fields of HostConfig that `parseTmpfsMounts` reads. */
export const TMPFS_FIELDS = ['Tmpfs', 'ReadonlyRootfs'];

/** Reads what of a container's file system is in memory, or cannot be written to; `more` tmpfs are said elsewhere. Throws `invalid`. */
export function parseTmpfsMounts(
  fields: RequestFields,
  machine: Machine,
  more: Record<string, string> = {},
): TmpfsConfig {
  const asked = { ...more, ...fields.map('Tmpfs') };
  for (const [target, options] of Object.entries(asked)) {
    const { size } = parseTmpfs(target, options);
    if (size > machine.memory / 2) {
      throw new EngineError(
        'invalid',
        `The tmpfs at "${target}" must be at most half of the machine's memory.`,
      );
    }
  }
  return { Tmpfs: asked, ReadonlyRootfs: fields.boolean('ReadonlyRootfs') };
}
