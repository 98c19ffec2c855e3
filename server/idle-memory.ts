import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';

const CHECK_MILLISECONDS = 3000;
/** Share of the time that a process with nothing to do spends on its timers. */
const QUIET = 0.01;

type CollectGarbage = (options: { type: 'major'; flavor: 'last-resort'; execution: 'sync' }) => void;

/**
 * From now on, gives memory back to the system once after each time of work, when the process has come to rest: V8 by itself keeps it
 * for the next time.
 */
export function freeMemoryWhenIdle(): void {
  v8.setFlagsFromString('--expose-gc');
  const collect: CollectGarbage = runInNewContext('gc');
  let worked = true;
  let seen = performance.eventLoopUtilization();
  setInterval(() => {
    const quiet = performance.eventLoopUtilization(seen).utilization < QUIET;
    if (quiet && worked) collect({ type: 'major', flavor: 'last-resort', execution: 'sync' });
    worked = !quiet;
    // After the collection, which is no work.
    seen = performance.eventLoopUtilization();
  }, CHECK_MILLISECONDS).unref();
}
