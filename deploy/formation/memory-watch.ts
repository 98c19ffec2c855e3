import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../engine.ts';
import type { Dyno, DynoContainer } from './dyno.ts';

/** How often each dyno is looked at, while there are few. */
const EVERY_MS = 10_000;
/** Between two: a look takes control and runtime some 3 ms, and both shall count as idle where nothing else is done. */
const LEAST_PAUSE_MS = 500;
/** While a dyno stays at its quota it is said again so often. */
const AGAIN_MS = 300_000;
/** Of the quota. The kernel lets nobody beyond it, so this is where a dyno is at it. */
const FULL = 0.95;

export interface MemoryWatchOptions {
  engine: Pick<Engine, 'memory'>;
  /** Of all apps. */
  dynos: () => Dyno[];
  /** As a line of the dyno in its app's log. */
  say: (dyno: Dyno, text: string) => void;
}

/** Says in the log of an app when a dyno has used up its memory (R14), before the kernel kills it (R15) or swaps. */
export class MemoryWatch {
  #options: MemoryWatchOptions;
  #said = new WeakMap<DynoContainer, number>();
  #closing = new AbortController();

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
  }

  /** Round after round, until `close`. */
  async start(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const dynos = this.#options.dynos();
      const pause = pauseFor(dynos.length);
      for (const dyno of dynos.length > 0 ? dynos : [undefined]) {
        await sleep(pause, undefined, { signal, ref: false }).catch(() => {});
        if (signal.aborted) return;
        if (dyno) await this.look(dyno);
      }
    }
  }

  close(): void {
    this.#closing.abort();
  }

  async look(dyno: Dyno, now = Date.now()): Promise<void> {
    const container = dyno.container;
    if (!container || container.exit) return;
    // It may end at any moment, and the runtime be away: the next look tells.
    const memory = await this.#options.engine.memory(container.id).catch(() => undefined);
    if (memory && memory.limit > 0 && !this.#closing.signal.aborted)
      this.#judge(dyno, { container, ...memory, now });
  }

  #judge(
    dyno: Dyno,
    { container, used, limit, now }: { container: DynoContainer; used: number; limit: number; now: number },
  ): void {
    const share = used / limit;
    if (share < FULL) {
      this.#said.delete(container);
      return;
    }
    if (now - (this.#said.get(container) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return;
    this.#said.set(container, now);
    const megabytes = Math.round(used / 1024 ** 2);
    this.#options.say(dyno, `Process running mem=${megabytes}M(${(100 * share).toFixed(1)}%)`);
    this.#options.say(dyno, 'Error R14 (Memory quota exceeded)');
  }
}

/** Milliseconds between two of so many dynos. */
export function pauseFor(dynos: number): number {
  return Math.max(EVERY_MS / Math.max(dynos, 1), LEAST_PAUSE_MS);
}
