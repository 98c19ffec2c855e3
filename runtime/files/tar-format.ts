/**
 * One member of a tar (pax interchange format, POSIX.1-2001; GNU's long names are read, too). Names are bytes: each
 * character of such a string is one byte, since no encoding is promised.
 */
export interface TarEntry {
  /** As it stands in the archive, with a `/` at the end or not. */
  name: string;
  type: TarEntryType;
  /** Permission bits with set-user-id, set-group-id and sticky: 0 to 0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of content that follow; 0 for all but files. */
  size: number;
  /** Seconds since 1970. */
  mtime: number;
  /** Of a symbolic link what it says, of a hard link the name of an earlier member. */
  linkName: string;
  /** Extended attributes: name → bytes. */
  attributes: Record<string, string>;
}

export type TarEntryType = 'file' | 'link' | 'symlink' | 'character' | 'block' | 'folder' | 'fifo';

export const BLOCK = 512;

/** The prefix of an extended attribute's record in a pax header, as star, GNU tar and Docker spell it. */
export const ATTRIBUTE_RECORD = 'SCHILY.xattr.';

/** The type flags of a header's byte 156. */
export const TYPE_FLAGS: ReadonlyMap<string, TarEntryType> = new Map([
  ['0', 'file'],
  ['\0', 'file'],
  ['7', 'file'],
  ['1', 'link'],
  ['2', 'symlink'],
  ['3', 'character'],
  ['4', 'block'],
  ['5', 'folder'],
  ['6', 'fifo'],
]);

/** Where the fields of a header are: offset and length in bytes. */
export const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
} as const;

/** The sum of a header's bytes, its checksum's own taken for blanks. */
export function checksumOf(header: Buffer): number {
  const [start, length] = FIELD.checksum;
  let sum = 0;
  for (let at = 0; at < BLOCK; at++) sum += at >= start && at < start + length ? 0x20 : header[at]!;
  return sum;
}

/** A name's bytes as text for people. */
export function readable(name: string): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}
