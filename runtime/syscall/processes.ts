import { readFileSync } from 'node:fs';
import { SystemCallError, systemCall } from './system-call.ts';

/** A descriptor that means this process and no later one of the same number; see pidfd_open(2). Throws ESRCH. */
export function openProcess(pid: number): number {
  return systemCall('pidfd_open', pid, 0);
}

/** Sends a signal to the process; false if it is gone. See pidfd_send_signal(2). */
export function signalProcess(pidfd: number, signal: number): boolean {
  try {
    systemCall('pidfd_send_signal', pidfd, signal, null, 0);
    return true;
  } catch (error) {
    if (error instanceof SystemCallError && error.code === 'ESRCH') return false;
    throw error;
  }
}

/** When the process started, in clock ticks since boot (field 22 of proc_pid_stat(5)); undefined if it is gone. */
export function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const AFTER_NAME = stat.lastIndexOf(')') + 2;
    const START_TIME = 22 - 3;
    return stat.slice(AFTER_NAME).split(' ')[START_TIME];
  } catch {
    return undefined;
  }
}
