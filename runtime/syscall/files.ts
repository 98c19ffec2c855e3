import { closeSync } from 'node:fs';
import { AT, FS_IOC, FS_TOPDIR_FL, OPEN } from './constants.ts';
import { cString, SystemCallError, systemCall } from './system-call.ts';

/** Opens a path (a string, or bytes that end with a NUL), close-on-exec; see openat2(2). `resolve` limits how the path is followed. */
export function openAt2(
  folder: number,
  path: string | Uint8Array,
  options: { flags: number; mode?: number; resolve: number },
): number {
  return systemCall('openat2', folder, path, openHow(options), OPEN_HOW_SIZE);
}

/** `struct open_how` of openat2(2), close-on-exec. */
export function openHow(options: { flags: number; mode?: number; resolve: number }): Buffer {
  return Buffer.from(
    new BigUint64Array([
      BigInt(options.flags | OPEN.CLOEXEC),
      BigInt(options.mode ?? 0),
      BigInt(options.resolve),
    ]).buffer,
  );
}

export const OPEN_HOW_SIZE = 24;

/** Opens a path, close-on-exec; see open(2). */
export function openPath(path: string, flags: number, mode = 0): number {
  return systemCall('openat', AT.FDCWD, path, flags | OPEN.CLOEXEC, mode);
}

/** Writes a whole short text into an existing file in one call, as the kernel's control files need; see write(2). */
export function writeControl(path: string, text: string): void {
  const descriptor = openPath(path, OPEN.WRONLY);
  try {
    writeUninterrupted(descriptor, text);
  } catch (error) {
    throw error instanceof SystemCallError
      ? new SystemCallError(`write "${text}" to ${path}`, error.errno)
      : error;
  } finally {
    closeSync(descriptor);
  }
}

/** A limit of memory takes the kernel a while, and any signal interrupts it. */
function writeUninterrupted(descriptor: number, text: string): void {
  const bytes = cString(text);
  for (;;) {
    try {
      systemCall('write', descriptor, bytes, text.length);
      return;
    } catch (error) {
      if (!(error instanceof SystemCallError && error.code === 'EINTR')) throw error;
    }
  }
}

/**
 * Says of a folder that those in it have nothing to do with each other: ext4 finds each of them a part of the disk of its own, in place of the same for all. Without a journal it
 * does not use an inode again for minutes, and looks through all that were freed in that part whenever one is made; see ioctl_iflags(2). It is a wish: nothing happens where the
 * file system knows no such thing, or the disk can only be read or reports errors.
 */
export function spreadFolders(path: string): void {
  const folder = openPath(path, OPEN.RDONLY | OPEN.DIRECTORY);
  try {
    const flags = Buffer.alloc(8);
    systemCall('ioctl', folder, FS_IOC.GETFLAGS, flags);
    const before = flags.readUInt32LE();
    if (before & FS_TOPDIR_FL) return;
    flags.writeUInt32LE(before | FS_TOPDIR_FL);
    systemCall('ioctl', folder, FS_IOC.SETFLAGS, flags);
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
  } finally {
    closeSync(folder);
  }
}

/** Locks an open file for its opener alone, until the descriptor is closed; see flock(2). False: another has it. */
export function lockFile(descriptor: number): boolean {
  try {
    systemCall('flock', descriptor, LOCK_EX | LOCK_NB);
    return true;
  } catch (error) {
    if (error instanceof SystemCallError && error.code === 'EAGAIN') return false;
    throw error;
  }
}

/** A file in memory with this content, close-on-exec; see memfd_create(2). `sealed`: nobody can ever change it. */
export function memoryFile(name: string, content: Uint8Array, options: { sealed: boolean }): number {
  const descriptor = createMemoryFile(name, options.sealed);
  systemCall('write', descriptor, content, content.length);
  if (options.sealed) systemCall('fcntl', descriptor, F_ADD_SEALS, ALL_SEALS);
  return descriptor;
}

const LOCK_EX = 2;
const LOCK_NB = 4;
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 0x10;
const MFD_NOEXEC_SEAL = 0x8;
const F_ADD_SEALS = 1033;
const ALL_SEALS = 0xf;

/** MFD_EXEC and MFD_NOEXEC_SEAL say since Linux 6.3 whether it is a program; kernels before refuse them. */
function createMemoryFile(name: string, isProgram: boolean): number {
  const flags = MFD_CLOEXEC | (isProgram ? MFD_ALLOW_SEALING : 0);
  try {
    return systemCall('memfd_create', name, flags | (isProgram ? MFD_EXEC : MFD_NOEXEC_SEAL));
  } catch (error) {
    if (!(error instanceof SystemCallError && error.code === 'EINVAL')) throw error;
    return systemCall('memfd_create', name, flags);
  }
}
