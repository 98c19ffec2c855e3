import { closeSync, constants, fstatSync, openSync, type Stats } from 'node:fs';
import { AT, OPEN, PR, RESOLVE } from './constants.ts';
import { openAt2 } from './files.ts';
import { SystemCallError, systemCall } from './system-call.ts';

/*
 * For a process that works below one folder whose content may be hostile, and may change while it works. A path is followed by the
 * kernel within the folder (openat2's RESOLVE_IN_ROOT), never through /proc's links to open files; then everything is done to a
 * single name in the working folder, and no link in its place is followed. Names are bytes, one a character.
 */

const CONFINED = RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS;

/** A name as Node's and the kernel's functions take it. */
export function nameBytes(name: string): Buffer {
  return Buffer.from(name, 'latin1');
}

function cBytes(name: string): Buffer {
  return Buffer.from(`${name}\0`, 'latin1');
}

/** A folder of the root's tree, to be entered; the caller closes it. Throws ENOENT, ENOTDIR, ELOOP. */
export function openFolder(root: number, path: string): number {
  return openAt2(root, cBytes(path || '.'), { flags: OPEN.PATH | OPEN.DIRECTORY, resolve: CONFINED });
}

/** Whether the way to a folder of the root's tree leads over something that is mounted there. */
export function isMounted(root: number, path: string): boolean {
  const resolve = CONFINED | RESOLVE.NO_XDEV;
  const options = { flags: OPEN.PATH | OPEN.DIRECTORY, resolve };
  const fd = tolerate(['EXDEV'], () => openAt2(root, cBytes(path || '.'), options));
  if (fd !== undefined) closeSync(fd);
  return fd === undefined;
}

/** Whether something is, or may be, at the path below a folder: a symbolic link on the way is not followed, so nobody knows. */
export function mayBeBelow(folder: string, path: string): boolean {
  const root = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const resolve = RESOLVE.NO_SYMLINKS | RESOLVE.IN_ROOT;
    const options = { flags: OPEN.PATH, resolve };
    const fd = tolerate(['ENOENT', 'ENOTDIR'], () => openAt2(root, cBytes(path), options));
    if (fd !== undefined) closeSync(fd);
    return fd !== undefined;
  } catch (error) {
    if (error instanceof SystemCallError && error.code === 'ELOOP') return true;
    throw error;
  } finally {
    closeSync(root);
  }
}

/** Whatever is at the path, but a symbolic link is itself; the caller closes it. */
export function openAnything(root: number, path: string): number {
  return openAt2(root, cBytes(path || '.'), { flags: OPEN.PATH | OPEN.NOFOLLOW, resolve: CONFINED });
}

/** A name in the working folder, for reading; waits for no FIFO. `sameMount`: throws EXDEV for what something is mounted on. */
export function openName(name: string, options: { folder: boolean; sameMount?: boolean }): number {
  return openAt2(AT.FDCWD, cBytes(name), {
    flags: OPEN.NOFOLLOW | OPEN.NONBLOCK | OPEN.NOCTTY | (options.folder ? OPEN.DIRECTORY : 0),
    resolve: RESOLVE.NO_SYMLINKS | RESOLVE.BENEATH | (options.sameMount ? RESOLVE.NO_XDEV : 0),
  });
}

/** A regular file of the root's tree, for reading; undefined: there is none. The caller closes it. */
export function openFileBelow(root: number, path: string): number | undefined {
  const missing = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'ENAMETOOLONG'];
  const flags = OPEN.NONBLOCK | OPEN.NOCTTY;
  const fd = tolerate(missing, () => openAt2(root, cBytes(path || '.'), { flags, resolve: CONFINED }));
  if (fd === undefined || fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  return undefined;
}

/** A new file of this name in the working folder, for writing. */
export function createFile(name: string): number {
  const O_EXCL = constants.O_EXCL;
  return openAt2(AT.FDCWD, cBytes(name), {
    flags: OPEN.WRONLY | OPEN.CREAT | O_EXCL | OPEN.NOFOLLOW,
    mode: 0o600,
    resolve: RESOLVE.NO_SYMLINKS | RESOLVE.BENEATH,
  });
}

/** Makes the folder the working folder of this process. See fchdir(2). */
export function enterFolder(folder: number): void {
  systemCall('fchdir', folder);
}

/** Another name in the working folder for a file elsewhere; a symbolic link is not followed. See linkat(2). */
export function linkName(source: { folder: number; name: string }, name: string): void {
  systemCall('linkat', source.folder, cBytes(source.name), AT.FDCWD, cBytes(name), 0);
}

const FIFO = 0o010000;
const CHARACTER_DEVICE = 0o020000;

export function makeFifo(name: string): void {
  systemCall('mknodat', AT.FDCWD, cBytes(name), FIFO | 0o600, 0);
}

/** Hides what lower layers have under this name: overlay's whiteout, a character device 0:0, which needs no privilege. */
export function makeWhiteout(name: string): void {
  systemCall('mknodat', AT.FDCWD, cBytes(name), CHARACTER_DEVICE, 0);
}

/** Whether overlay takes this for a whiteout. */
export function isWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0;
}

/** All extended attributes of an open file: name → bytes. None where the file system has none. */
export function readAttributes(fd: number): Record<string, string> {
  const names = Buffer.alloc(65_536);
  const size = tolerate(['EOPNOTSUPP'], () => systemCall('flistxattr', fd, names, names.length)) ?? 0;
  const found: Record<string, string> = {};
  for (const name of names.toString('latin1', 0, size).split('\0').filter(Boolean)) {
    const value = Buffer.alloc(65_536);
    const length = tolerate(['ENODATA'], () =>
      systemCall('fgetxattr', fd, cBytes(name), value, value.length),
    );
    if (length !== undefined) found[name] = value.toString('latin1', 0, length);
  }
  return found;
}

/** Sets an extended attribute of an open file; false where the file system has none. */
export function writeAttribute(fd: number, name: string, value: string): boolean {
  const bytes = nameBytes(value);
  const set = () => systemCall('fsetxattr', fd, cBytes(name), bytes, bytes.length, 0);
  return tolerate(['EOPNOTSUPP'], set) !== undefined;
}

/** Marks a folder of a layer for overlay: nothing of lower layers is to be seen in it. One that is gone since is none. */
export function markOpaque(root: number, path: string): void {
  const flags = OPEN.DIRECTORY | OPEN.NOFOLLOW;
  const missing = ['ENOENT', 'ENOTDIR', 'ELOOP'];
  const fd = tolerate(missing, () => openAt2(root, cBytes(path || '.'), { flags, resolve: CONFINED }));
  if (fd === undefined) return;
  try {
    systemCall('fsetxattr', fd, 'trusted.overlay.opaque', new Uint8Array([0x79]), 1, 0);
  } finally {
    closeSync(fd);
  }
}

/** What a symbolic link says; `fd` is of `openAnything`. */
export function readLink(fd: number): string {
  const target = Buffer.alloc(4096);
  const length = systemCall('readlinkat', fd, cBytes(''), target, target.length);
  return target.toString('latin1', 0, length);
}

/** Makes the folder that `fd` is of the root of this process, for good. See chroot(2). */
export function confineTo(fd: number): void {
  systemCall('fchdir', fd);
  systemCall('chroot', '.');
  systemCall('prctl', PR.SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/** Does something with a folder of the root's tree as working folder. */
export function inFolder<T>(root: number, path: string, work: () => T): T {
  const folder = openFolder(root, path);
  try {
    enterFolder(folder);
    return work();
  } finally {
    closeSync(folder);
  }
}

function tolerate(codes: string[], work: () => number): number | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof SystemCallError && codes.includes(error.code)) return undefined;
    throw error;
  }
}
