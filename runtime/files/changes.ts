import * as fs from 'node:fs';
import {
  enterFolder,
  isWhiteout,
  nameBytes,
  openAnything,
  openName,
  readAttributes,
} from '../syscall/folder.ts';
import type { Change } from './job.ts';
import { readable } from './tar-format.ts';

const OPAQUE_ATTRIBUTE = 'trusted.overlay.opaque';
const KIND = { changed: 0, added: 1, removed: 2 } as const;

/** What the upper folder of an overlay changes about what is below it; folders first, then what is in them. */
export function listChanges(upper: number, below: number): Change[] {
  const changes: Change[] = [];
  visit(upper, '', { below, changes });
  return changes;
}

function visit(folder: number, path: string, found: { below: number; changes: Change[] }): void {
  enterFolder(folder);
  const names = fs.readdirSync('.', { encoding: 'buffer' }).sort(Buffer.compare);
  for (const name of names.map((bytes) => bytes.toString('latin1'))) {
    enterFolder(folder);
    const stat = fs.lstatSync(nameBytes(name), { throwIfNoEntry: false });
    if (!stat) continue;
    const child = `${path}/${name}`;
    const fd = stat.isDirectory() ? openName(name, { folder: true }) : undefined;
    try {
      const replaced = fd !== undefined && readAttributes(fd)[OPAQUE_ATTRIBUTE] === 'y';
      const existed = isBelow(found.below, child);
      const gone = existed && (isWhiteout(stat) || replaced);
      const kind = gone ? KIND.removed : existed ? KIND.changed : KIND.added;
      if ((gone || !isWhiteout(stat)) && !isMountPoint(child, stat))
        found.changes.push({ Path: readable(child), Kind: kind });
      if (fd !== undefined) visit(fd, child, found);
    } finally {
      if (fd !== undefined) fs.closeSync(fd);
    }
  }
}

/** Made by each start, where a file of ours is mounted over it. */
function isMountPoint(path: string, stat: fs.Stats): boolean {
  return /^\/etc\/(hosts|hostname|resolv\.conf)$/.test(path) && stat.isFile() && stat.size === 0;
}

function isBelow(below: number, path: string): boolean {
  try {
    fs.closeSync(openAnything(below, path));
    return true;
  } catch {
    return false;
  }
}
