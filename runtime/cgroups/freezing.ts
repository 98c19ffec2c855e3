import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../engine-error.ts';

const GIVE_UP_MILLISECONDS = 10_000;
const LONGEST_PAUSE_MILLISECONDS = 50;

/** Waits until the kernel has stopped all processes of a group; one that waits for a disk takes its time. Throws `unavailable`. */
export async function frozenWithin(freezer: {
  isFrozen: () => boolean;
  /** Asks once more: a process may have been born meanwhile. */
  again: () => void;
  giveUp: () => void;
}): Promise<void> {
  const end = performance.now() + GIVE_UP_MILLISECONDS;
  for (let pause = 1; !freezer.isFrozen(); pause = Math.min(2 * pause, LONGEST_PAUSE_MILLISECONDS)) {
    if (performance.now() > end) {
      freezer.giveUp();
      throw new EngineError('unavailable', 'The kernel could not stop all of its processes.');
    }
    await sleep(pause);
    freezer.again();
  }
}
