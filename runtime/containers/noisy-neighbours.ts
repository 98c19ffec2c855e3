import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { turns } from '../turns.ts';
import type { Container } from './container.ts';
import type { Kernel } from './kernel.ts';

/** How often the processor time of all together is looked at, and that of each while they take much of it. */
const CALM_MILLISECONDS = 200;
const BUSY_MILLISECONDS = 100;
/** While it is always the same ones that are noisy: ten looks a second, each 0.3 ms of a processor, were most of what a visitor noticed. */
const STEADY_MILLISECONDS = 500;
/** Looking at a thousand containers must take no more than one part in so many of a processor, but nobody goes unnoticed for long. */
const PAUSE_PER_LOOK = 100;
const LONGEST_MILLISECONDS = 2000;
/** Asked once: to find out takes as long as looking at three containers. */
const PROCESSORS = availableParallelism();

/** Processors. Who takes less than that counts for nothing in what is fair; and where all take less than this part, nobody waits. */
const ACTIVE = 0.01;
const BUSY_PART = 1 / 8;
/** Of what would be fair, in processors. */
const NOISY_PART = 1 / 4;
const NOISY_AT_LEAST = 0.1;
const NOISY_AT_MOST = 0.25;

export interface NoisyNeighboursOptions {
  kernel: Kernel;
  /** All containers. */
  containers: () => Container[];
}

/** Nanoseconds of processor time used, and when, in milliseconds. */
interface Sample {
  used: number;
  at: number;
}

/**
 * Containers that take more processor time than their part give way to those that take little: a visitor of a quiet app does not wait for
 * the end of a loop's turn. They lose nothing as long as there is a processor free, and one that gets little because of it is not noisy any
 * more: nobody starves. Containers with CPU shares of their own are left alone: there somebody has decided. See cgroups-v2.rst, "cpu.idle".
 */
export class NoisyNeighbours {
  readonly #options: NoisyNeighboursOptions;
  #noisy: Set<string> = new Set();
  /** Of each container, while it is looked at. */
  readonly #samples = new Map<string, Sample>();
  #all: Sample | undefined;
  readonly #end = new AbortController();

  constructor(options: NoisyNeighboursOptions) {
    this.#options = options;
  }

  /** Looks from now on; what an earlier runtime found is too old to count. */
  open(): void {
    const { kernel } = this.#options;
    if (!kernel.canGiveWay) return;
    for (const { id } of this.#candidates()) if (kernel.givesWay(id)) this.#setWay(id, false);
    this.#watch().catch((error) => {
      if (!this.#end.signal.aborted) console.error('Nobody gives way to others any more:', error);
    });
  }

  close(): void {
    this.#end.abort();
  }

  /** It is as the others again, until it is looked at: whoever gives way cannot be given CPU shares. */
  spare(id: string): void {
    if (this.#noisy.delete(id)) this.#setWay(id, false);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#end;
    for (let pause = CALM_MILLISECONDS; ; ) {
      await sleep(pause, undefined, { signal, ref: false });
      if (!this.#areBusy() && this.#noisy.size === 0) {
        this.#samples.clear();
        pause = CALM_MILLISECONDS;
        continue;
      }
      const { took, changed } = await this.#look();
      const isSteady = !changed && this.#noisy.size > 0;
      const wanted = isSteady ? Math.min(2 * pause, STEADY_MILLISECONDS) : BUSY_MILLISECONDS;
      pause = Math.max(wanted, Math.min(PAUSE_PER_LOOK * took, LONGEST_MILLISECONDS));
    }
  }

  /** Whether all together have taken so much lately that somebody may have waited. */
  #areBusy(): boolean {
    const now = { used: this.#options.kernel.processorTime(), at: performance.now() };
    const rate = this.#all ? processors(this.#all, now) : 0;
    this.#all = now;
    return rate > PROCESSORS * BUSY_PART;
  }

  /** `changed`: whether anybody is noisy who was not, or the other way round; `took`: milliseconds of work. */
  async #look(): Promise<{ changed: boolean; took: number }> {
    const { rates, took } = await this.#measure();
    const noisy = noisyOf(rates, { processors: PROCESSORS, before: this.#noisy });
    const either = new Set([...this.#noisy, ...noisy]);
    const changed = [...either].filter((id) => this.#noisy.has(id) !== noisy.has(id));
    for (const id of changed) this.#setWay(id, noisy.has(id));
    this.#noisy = noisy;
    return { changed: changed.length > 0, took };
  }

  /** Processors that each has used since it was last looked at; `took` without what else went on meanwhile. */
  async #measure(): Promise<{ rates: Map<string, number>; took: number }> {
    const rates = new Map<string, number>();
    let took = 0;
    for (const { id } of this.#candidates()) {
      await turns.next();
      const began = performance.now();
      const now = { used: this.#options.kernel.processorTime(id), at: performance.now() };
      took += now.at - began;
      const last = this.#samples.get(id);
      this.#samples.set(id, now);
      if (last) rates.set(id, processors(last, now));
    }
    // Some may have ended since then, or been given CPU shares.
    const left = new Set(this.#candidates().map(({ id }) => id));
    for (const id of this.#samples.keys()) if (!left.has(id)) this.#samples.delete(id);
    for (const id of rates.keys()) if (!left.has(id)) rates.delete(id);
    return { rates, took };
  }

  #candidates(): Container[] {
    return this.#options.containers().filter(({ running, config }) => running && !config.host.CpuShares);
  }

  /** Of one that has ended meanwhile there is nothing to set. */
  #setWay(id: string, gives: boolean): void {
    try {
      this.#options.kernel.giveWay(id, gives);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        console.error(`Container ${id} takes more than its part of the processors:`, error);
      }
    }
  }
}

/** Those that take much more than others leave them: `rates` in processors, by id; `before`: who was noisy, and is for a while longer. */
export function noisyOf(
  rates: ReadonlyMap<string, number>,
  { processors, before }: { processors: number; before: ReadonlySet<string> },
): Set<string> {
  const active = [...rates.values()].filter((rate) => rate > ACTIVE).length;
  const part = (processors / Math.max(1, active)) * NOISY_PART;
  const limit = Math.min(Math.max(part, NOISY_AT_LEAST), NOISY_AT_MOST);
  const isNoisy = ([id, rate]: [string, number]) => rate > (before.has(id) ? limit / 2 : limit);
  return new Set([...rates].filter(isNoisy).map(([id]) => id));
}

function processors(from: Sample, to: Sample): number {
  return (to.used - from.used) / 1e6 / (to.at - from.at);
}
