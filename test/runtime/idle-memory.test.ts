import assert from 'node:assert/strict';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { IdleMemory } from '../../runtime/idle-memory.ts';

describe('IdleMemory', () => {
  /** Collections that somebody asked for. */
  let collections = 0;
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind, flags } = (entry as PerformanceEntry & { detail: { kind: number; flags: number } })
        .detail;
      const isForced = (flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0;
      if (kind === constants.NODE_PERFORMANCE_GC_MAJOR && isForced) collections++;
    }
  });

  beforeEach(() => {
    collections = 0;
    observer.observe({ entryTypes: ['gc'] });
  });
  afterEach(() => observer.disconnect());

  it('collects garbage after each time of work, though there is a question now and then', async () => {
    const memory = new IdleMemory({ look: 500, rest: 50 });
    for (const times of [1, 2]) {
      memory.touch();
      keepBusy(100);
      await ask(memory, { seconds: 15, until: () => collections >= times });
      assert.ok(collections >= times, `not collected after work, time ${times}`);
    }
  });
});

async function ask(memory: IdleMemory, { seconds, until }: { seconds: number; until: () => boolean }) {
  for (const end = performance.now() + seconds * 1000; performance.now() < end && !until(); ) {
    memory.touch();
    await sleep(250);
  }
}

function keepBusy(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}
