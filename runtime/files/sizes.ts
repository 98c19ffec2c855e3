import * as fs from 'node:fs';
import { enterFolder, nameBytes, openName } from '../syscall/folder.ts';

const MAX_DEPTH = 900;

/** Bytes in the files below a folder; a file with several names counts once. Symbolic links are not followed. */
export function folderSize(path: string): number {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
  let fd: number;
  try {
    fd = fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
  try {
    return sizeBelow(fd, new Set(), 0);
  } finally {
    fs.closeSync(fd);
  }
}

function sizeBelow(folder: number, seen: Set<string>, depth: number): number {
  if (depth > MAX_DEPTH) return 0;
  enterFolder(folder);
  let size = 0;
  for (const name of fs.readdirSync('.', { encoding: 'buffer' }).map((bytes) => bytes.toString('latin1'))) {
    const stat = fs.lstatSync(nameBytes(name), { throwIfNoEntry: false });
    if (stat?.isFile()) size += sizeOf(stat, seen);
    if (!stat?.isDirectory()) continue;
    size += sizeInside(name, seen, depth);
    enterFolder(folder);
  }
  return size;
}

function sizeInside(name: string, seen: Set<string>, depth: number): number {
  let fd: number;
  try {
    fd = openName(name, { folder: true });
  } catch {
    return 0; // gone, or something else by now
  }
  try {
    return sizeBelow(fd, seen, depth + 1);
  } finally {
    fs.closeSync(fd);
  }
}

function sizeOf(stat: fs.Stats, seen: Set<string>): number {
  if (stat.nlink < 2) return stat.size;
  const file = `${stat.dev}:${stat.ino}`;
  if (seen.has(file)) return 0;
  seen.add(file);
  return stat.size;
}
