import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/**
 * From now on this thread, which decides for all containers, gets a processor before any of their processes: where all processors are busy,
 * starts, stops and logs do not wait for apps. Where each session of processes gets an equal part ("The autogroup feature"), ours gets the
 * larger one, too. See sched(7), "The nice value".
 */
export function comeBeforeApps(): void {
  try {
    setPriority(BEFORE_APPS);
  } catch (error) {
    console.error('The runtime waits for processors as any app does:', (error as Error).message);
  }
  try {
    writeFileSync('/proc/self/autogroup', String(BEFORE_APPS));
  } catch {
    // Sessions have no parts here.
  }
}

/** For a child in a session of its own (`detached`), which would inherit it: its turn comes as everybody's. */
export function comeAsOthers(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, 0);
  } catch {
    // It has ended already, or there is nothing to take back.
  }
}

const BEFORE_APPS = -10;
