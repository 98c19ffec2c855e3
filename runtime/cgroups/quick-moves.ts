import { closeSync } from 'node:fs';
import { FSCONFIG, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC } from '../syscall/constants.ts';
import { SystemCallError, systemCall } from '../syscall/system-call.ts';
import { cgroupMounts } from './mounts.ts';

/**
 * Has the kernel prepare for processes that are moved between groups: it waits for all processors otherwise, some 10 ms for each lone move.
 * For that it needs a hierarchy with the option `favordynmods` (Linux 6.0); this one has no controllers, is mounted nowhere, and goes with
 * the descriptor (the last of all instances'). Returns undefined if the kernel does not know it.
 */
export function favourQuickMoves(): number | undefined {
  return withContext('cgroup', (context) => {
    systemCall('fsconfig', context, FSCONFIG.SET_FLAG, 'none', null, 0);
    systemCall('fsconfig', context, FSCONFIG.SET_STRING, 'name', NAME, 0);
    systemCall('fsconfig', context, FSCONFIG.SET_FLAG, OPTION, null, 0);
    systemCall('fsconfig', context, FSCONFIG.CMD_CREATE, null, null, 0);
    return systemCall('fsmount', context, FSMOUNT_CLOEXEC, 0);
  });
}

/**
 * The same with version 2, mounted at `root`: its own hierarchy gets the option, and has it until the machine is started anew. Another hierarchy would be a second line in each
 * /proc/self/cgroup, by which libuv, and so Node.js, takes version 2 for version 1, and sees no limit of a container.
 */
export function favourQuickMovesIn(root: string): void {
  const mount = cgroupMounts().find(({ version, path }) => version === 2 && path === root);
  if (!mount || mount.options.includes(OPTION)) return;
  withContext('cgroup2', (context) => {
    // What is not named is taken away.
    for (const option of [...mount.options.filter((name) => name !== 'rw'), OPTION])
      systemCall('fsconfig', context, FSCONFIG.SET_FLAG, option, null, 0);
    systemCall('fsconfig', context, FSCONFIG.CMD_CREATE, null, null, 0);
  });
}

/** Undefined: the kernel does not do it. */
function withContext<T>(fileSystem: string, use: (context: number) => T): T | undefined {
  let context: number | undefined;
  try {
    context = systemCall('fsopen', fileSystem, FSOPEN_CLOEXEC);
    return use(context);
  } catch (error) {
    if (error instanceof SystemCallError) return undefined;
    throw error;
  } finally {
    if (context !== undefined) closeSync(context);
  }
}

const OPTION = 'favordynmods';
/** Seen in every container's /proc/self/cgroup. */
const NAME = 'favordynmods';
