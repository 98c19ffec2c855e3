import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Replaces a file in one step, and it is on the disk when this returns: whoever reads it, also after a power cut, sees the old content or the new. */
export function replaceFileDurably(path: string, content: string): void {
  const fd = openSync(`${path}.tmp`, 'w', 0o600);
  try {
    writeSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.tmp`, path);
  syncFolder(dirname(path));
}

/**
 * The same in two steps: `sync` in between has to bring the new content to the disk, with whatever else it belongs to.
 * Cheaper than one sync for each.
 */
export async function replaceFileAfter(
  path: string,
  content: string,
  sync: () => Promise<void>,
): Promise<void> {
  writeFileSync(`${path}.tmp`, content, { mode: 0o600 });
  await sync();
  renameSync(`${path}.tmp`, path);
  syncFolder(dirname(path));
}

/** What is not there is no error. (`rmSync` of Node 26 does not tell which error it was.) */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Makes renames and removals in a folder last. */
export function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
