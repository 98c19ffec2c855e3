import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';

interface Owner {
  uid: number;
  gid: number;
}

/** Writes by temporary file, fsync and rename; follows no link that the folder's owner may have put there. */
export function replaceFile(path: string, content: string, options: { mode: number; owner?: Owner }): void {
  const temporary = `${path}.${process.pid}.tmp`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, 'wx', options.mode);
  try {
    writeFileSync(file, content);
    fchmodSync(file, options.mode);
    if (options.owner) fchownSync(file, options.owner.uid, options.owner.gid);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/** Makes an empty file of `owner`, unless there is one. */
export function ensureOwnFile(path: string, owner: Owner): void {
  if (!existsSync(path)) replaceFile(path, '', { mode: 0o600, owner });
}
