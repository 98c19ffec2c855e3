import { closeSync, readFileSync } from 'node:fs';
import { SIGKILL } from '../syscall/constants.ts';
import { openProcess, signalProcess } from '../syscall/processes.ts';

/**
 * Kills what an exec has started: the child of its helper, and every process of the session that this child has begun.
 * @param helper its pid; @param processes all of the container's.
 */
export function killExec(helper: number, processes: number[]): void {
  const app = processes.find((pid) => readFamily(pid)?.parent === helper);
  if (app === undefined) return;
  for (const pid of processes) {
    if (readFamily(pid)?.session === app) killIf(pid, () => readFamily(pid)?.session === app);
  }
}

/** Another process may have the number by now: what is asked when the descriptor is open holds for what it means. */
function killIf(pid: number, isMeant: () => boolean): void {
  let pidfd: number;
  try {
    pidfd = openProcess(pid);
  } catch {
    return;
  }
  try {
    if (isMeant()) signalProcess(pidfd, SIGKILL);
  } finally {
    closeSync(pidfd);
  }
}

/** Fields 4 and 6 of /proc/<pid>/stat; see proc_pid_stat(5). */
function readFamily(pid: number): { parent: number; session: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const AFTER_NAME = stat.lastIndexOf(')') + 2;
    const [, parent, , session] = stat.slice(AFTER_NAME).split(' ');
    return { parent: Number(parent), session: Number(session) };
  } catch {
    return undefined;
  }
}
