import { closeSync } from 'node:fs';
import { FSCONFIG, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC } from '../syscall/constants.ts';
import { SystemCallError, systemCall } from '../syscall/system-call.ts';

/**
 * Has the kernel prepare for processes that are moved between groups: it waits for all processors otherwise, some 10 ms for each lone move.
 * For that it needs a hierarchy with the option `favordynmods` (Linux 6.0); this one has no controllers, is mounted nowhere, and goes with
 * the descriptor (the last of all instances'). Returns undefined if the kernel does not know it.
 */
export function favourQuickMoves(): number | undefined {
  let context: number | undefined;
  try {
    context = systemCall('fsopen', 'cgroup', FSOPEN_CLOEXEC);
    systemCall('fsconfig', context, FSCONFIG.SET_FLAG, 'none', null, 0);
    systemCall('fsconfig', context, FSCONFIG.SET_STRING, 'name', NAME, 0);
    systemCall('fsconfig', context, FSCONFIG.SET_FLAG, 'favordynmods', null, 0);
    systemCall('fsconfig', context, FSCONFIG.CMD_CREATE, null, null, 0);
    return systemCall('fsmount', context, FSMOUNT_CLOEXEC, 0);
  } catch (error) {
    if (error instanceof SystemCallError) return undefined;
    throw error;
  } finally {
    if (context !== undefined) closeSync(context);
  }
}

/** Seen in every container's /proc/self/cgroup. */
const NAME = 'favordynmods';
