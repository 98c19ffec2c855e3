import { closeSync, fchownSync } from 'node:fs';
import {
  FSCONFIG,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTRIBUTE,
  OPEN,
  RESOLVE,
  TIO,
} from './constants.ts';
import { openAt2, openPath } from './files.ts';
import { systemCall } from './system-call.ts';

/** Both sides of a terminal: we keep the master, the app gets the slave. See pty(7). */
export interface TerminalPair {
  master: number;
  slave: number;
}

/** In one container: the whole machine has 4096 (kernel.pty.max). */
export const MAX_TERMINALS = 128;

/** Whose a terminal is. */
export interface TerminalOwner {
  uid: number;
  /** The group `tty`. */
  gid: number;
}

/** A devpts file system of its own that is mounted nowhere yet, with one terminal in it. The caller closes all three. */
export function openDetachedTerminal(owner: TerminalOwner): TerminalPair & { fileSystem: number } {
  const fileSystem = makeDevpts(owner.gid);
  return { fileSystem, ...openTerminal(fileSystem, 'ptmx', owner) };
}

/** Another terminal in the devpts of a running process's root folder. The caller closes both. */
export function openTerminalOf(pid: number, owner: TerminalOwner): TerminalPair {
  const root = openPath(`/proc/${pid}/root`, OPEN.PATH | OPEN.DIRECTORY);
  try {
    return openTerminal(root, 'dev/pts/ptmx', owner);
  } finally {
    closeSync(root);
  }
}

/** The slave is opened by its master, never by its path, which may lie (CVE-2016-2568, CVE-2025-52565). */
function openTerminal(folder: number, path: string, owner: TerminalOwner): TerminalPair {
  const master = openAt2(folder, path, {
    flags: OPEN.RDWR | OPEN.NOCTTY,
    resolve: RESOLVE.IN_ROOT | RESOLVE.NO_SYMLINKS,
  });
  try {
    systemCall('ioctl', master, TIO.SPTLCK, new Uint8Array(4));
    const slave = systemCall('ioctl', master, TIO.GPTPEER, OPEN.RDWR | OPEN.NOCTTY | OPEN.CLOEXEC);
    fchownSync(slave, owner.uid, owner.gid);
    return { master, slave };
  } catch (error) {
    closeSync(master);
    throw error;
  }
}

function makeDevpts(group: number): number {
  const context = systemCall('fsopen', 'devpts', FSOPEN_CLOEXEC);
  try {
    const options = { ptmxmode: '0666', mode: '0620', gid: String(group), max: String(MAX_TERMINALS) };
    for (const [key, value] of Object.entries(options)) {
      systemCall('fsconfig', context, FSCONFIG.SET_STRING, key, value, 0);
    }
    systemCall('fsconfig', context, FSCONFIG.CMD_CREATE, null, null, 0);
    return systemCall('fsmount', context, FSMOUNT_CLOEXEC, MOUNT_ATTRIBUTE.NOSUID | MOUNT_ATTRIBUTE.NOEXEC);
  } finally {
    closeSync(context);
  }
}
