import { accessSync, closeSync, constants, fstatSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import { isMounted, openAnything, openFolder, readLink } from '../syscall/folder.ts';

/** What is at a path of a container, as the API's `X-Docker-Container-Path-Stat` tells it, and how a job gets there. */
export interface PathFacts {
  /** Below the root, without `.`, `..` and a leading `/`; `''`: the root. */
  path: string;
  /** The folder that the path leads to is meant, not a symbolic link at its end. */
  follow: boolean;
  isFolder: boolean;
  /** The last part, as it was asked for. */
  name: string;
  size: number;
  /** As Go's fs.FileMode has it. */
  mode: number;
  /** ISO 8601. */
  mtime: string;
  linkTarget: string;
}

/**
 * Looks at a path below a root folder whose content may be hostile; undefined: nothing is there. A symbolic link at its end is itself,
 * unless `/` or `/.` follows it.
 */
export function pathFacts(root: number, asked: string): PathFacts | undefined {
  const path = posix.join('/', asked).replace(/^\/+|\/+$/g, '');
  const follow = path === '' || /\/\.?$/.test(asked);
  return ifThere(() => {
    const fd = follow ? openFolder(root, bytesOf(path)) : openAnything(root, bytesOf(path));
    try {
      return { path, follow, name: nameOf(asked, path), ...factsOf(fd, path) };
    } finally {
      closeSync(fd);
    }
  });
}

/** Whether a folder of the root's tree is in something that is mounted there, and whether it can be written to at all; undefined: it is gone. */
export function mountFacts(root: number, path: string): { mounted: boolean; readOnly: boolean } | undefined {
  return ifThere(() => {
    const fd = openFolder(root, bytesOf(path));
    try {
      return { mounted: isMounted(root, bytesOf(path)), readOnly: isReadOnly(fd) };
    } finally {
      closeSync(fd);
    }
  });
}

function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(code)) return undefined;
    throw error;
  }
}

function isReadOnly(fd: number): boolean {
  try {
    accessSync(`/proc/self/fd/${fd}`, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS';
  }
}

/** Of `/a/.` it is `.`, so that what is in the folder is copied without it. */
function nameOf(asked: string, path: string): string {
  if (path === '') return '/';
  return asked.endsWith('/.') ? '.' : posix.basename(path);
}

function factsOf(fd: number, path: string) {
  const stat = fstatSync(fd);
  return {
    isFolder: stat.isDirectory(),
    size: stat.size,
    mode: goMode(stat),
    mtime: stat.mtime.toISOString(),
    linkTarget: stat.isSymbolicLink() ? linkTargetOf(fd, path) : '',
  };
}

/** From the root on. */
function linkTargetOf(fd: number, path: string): string {
  const said = Buffer.from(readLink(fd), 'latin1').toString('utf8');
  return posix.join('/', said.startsWith('/') ? said : posix.join(posix.dirname(path), said));
}

/** https://pkg.go.dev/io/fs#FileMode */
function goMode(stat: Stats): number {
  const bits: [boolean, number][] = [
    [stat.isDirectory(), 31],
    [stat.isSymbolicLink(), 27],
    [stat.isBlockDevice() || stat.isCharacterDevice(), 26],
    [stat.isFIFO(), 25],
    [stat.isSocket(), 24],
    [(stat.mode & 0o4000) !== 0, 23],
    [(stat.mode & 0o2000) !== 0, 22],
    [stat.isCharacterDevice(), 21],
    [(stat.mode & 0o1000) !== 0, 20],
  ];
  return bits.reduce((mode, [is, bit]) => mode + (is ? 2 ** bit : 0), stat.mode & 0o777);
}

/** A byte a character, as all names are here. */
export function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}
