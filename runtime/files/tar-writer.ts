import { ATTRIBUTE_RECORD, BLOCK, checksumOf, FIELD, type TarEntry, TYPE_FLAGS } from './tar-format.ts';

/** The bytes before a member's content: its header, and one of pax's in front of it for what does not fit in there. */
export function tarHeader(entry: TarEntry): Buffer {
  const records = recordsOf(entry);
  const header = plainHeader(entry);
  if (records === '') return header;
  const content = Buffer.from(records, 'latin1');
  const extension = plainHeader({ ...PAX_HEADER, size: content.length }, 'x');
  return Buffer.concat([extension, content, tarPadding(content.length), header]);
}

/** What fills up the last block of a content of this many bytes. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** Two empty blocks. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

const PAX_HEADER: TarEntry = {
  name: 'pax',
  type: 'file',
  ...{ mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0, linkName: '', attributes: {} },
};

function plainHeader(entry: TarEntry, flag = flagOf(entry)): Buffer {
  const header = Buffer.alloc(BLOCK);
  const text = (field: keyof typeof FIELD, value: string) =>
    header.write(value.slice(0, FIELD[field][1]), FIELD[field][0], 'latin1');
  const number = (field: keyof typeof FIELD, value: number) =>
    text(field, `${fits(field, value) ? value.toString(8).padStart(FIELD[field][1] - 1, '0') : ''}\0`);
  text('name', entry.name);
  number('mode', entry.mode);
  number('uid', entry.uid);
  number('gid', entry.gid);
  number('size', entry.size);
  number('mtime', entry.mtime);
  text('type', flag);
  text('linkName', entry.linkName);
  text('magic', 'ustar\x0000');
  text('checksum', `${checksumOf(header).toString(8).padStart(6, '0')}\0 `);
  return header;
}

function recordsOf(entry: TarEntry): string {
  const records: [string, string][] = [];
  if (!fitsText(entry.name)) records.push(['path', entry.name]);
  if (!fitsText(entry.linkName)) records.push(['linkpath', entry.linkName]);
  for (const field of ['uid', 'gid', 'size'] as const) {
    if (!fits(field, entry[field])) records.push([field, String(entry[field])]);
  }
  const attributes = Object.entries(entry.attributes).sort();
  records.push(...attributes.map(([name, value]): [string, string] => [ATTRIBUTE_RECORD + name, value]));
  return records.map(([key, value]) => paxRecord(key, value)).join('');
}

/** Its length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return `${length}${rest}`;
}

function fits(field: keyof typeof FIELD, value: number): boolean {
  return value >= 0 && value < 8 ** (FIELD[field][1] - 1);
}

/** Beyond ASCII a plain header promises no encoding. */
function fitsText(text: string): boolean {
  return text.length <= FIELD.name[1] && /^[\x20-\x7e]*$/.test(text);
}

function flagOf({ type }: TarEntry): string {
  return [...TYPE_FLAGS].find(([, kind]) => kind === type)![0];
}
