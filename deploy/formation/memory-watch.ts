import type { Engine } from '../engine.ts';
import type { Dyno, DynoContainer } from './dyno.ts';

const EVERY_MS = 10_000;
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
  #timer: NodeJS.Timeout | undefined;
  #said = new WeakMap<DynoContainer, number>();
  #closed = false;

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setTimeout(async () => {
      await this.look();
      if (!this.#closed) this.start();
    }, EVERY_MS);
    this.#timer.unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** One dyno after the other, so that control does other things between. */
  async look(now = Date.now()): Promise<void> {
    for (const dyno of this.#options.dynos()) {
      const container = dyno.container;
      if (!container || container.exit) continue;
      // It may end at any moment, and the runtime be away: the next look tells.
      const memory = await this.#options.engine.memory(container.id).catch(() => undefined);
      if (memory && memory.limit > 0) this.#judge(dyno, { container, ...memory, now });
    }
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
