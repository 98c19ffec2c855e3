import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { planNetworkRemoval } from '../network/network-plan.ts';
import type { ProcessMaker } from './process-maker.ts';

/**
 * Sees to it that interfaces vanish. The kernel removes them by itself, many at once, when the last process of their namespace
 * is gone; only a connection that an app left unfinished can hold one longer (until tcp(7) gives up), and then we remove it.
 */
export class InterfaceRemoval {
  readonly #processes: ProcessMaker;
  readonly #group: number;
  readonly #pending = new Map<string, Pending>();
  #sweeping: Promise<void> | undefined;

  /** @param tag hex digits: of the instance. */
  constructor(options: { tag: string; processes: ProcessMaker }) {
    this.#processes = options.processes;
    this.#group = GROUP_BASE + Number.parseInt(options.tag, 16);
  }

  /** Resolves when no interface of this name is left. */
  remove(name: string): Promise<void> {
    const known = this.#pending.get(name);
    if (known) return known.gone.promise;
    const pending = { since: performance.now(), gone: Promise.withResolvers<void>() };
    this.#pending.set(name, pending);
    this.#begin();
    return pending.gone.promise;
  }

  #begin(): void {
    this.#sweeping ??= this.#sweep().finally(() => {
      this.#sweeping = undefined;
      if (this.#pending.size > 0) this.#begin();
    });
  }

  async #sweep(): Promise<void> {
    while (this.#pending.size > 0) {
      await sleep(SWEEP_MILLISECONDS);
      // It waits for the kernel, which is busy with removing them.
      const existing = new Set(await readdir('/sys/class/net'));
      for (const [name, { gone }] of this.#pending) {
        if (existing.has(name)) continue;
        this.#pending.delete(name);
        gone.resolve();
      }
      await this.#removeLate();
    }
  }

  async #removeLate(): Promise<void> {
    const latest = performance.now() - PATIENCE_MILLISECONDS;
    const late = [...this.#pending].filter(([, { since }]) => since < latest).map(([name]) => name);
    if (late.length === 0) return;
    try {
      await this.#processes.run(planNetworkRemoval(late, this.#group));
    } catch (error) {
      for (const name of late) {
        this.#pending.get(name)?.gone.reject(error);
        this.#pending.delete(name);
      }
    }
  }
}

interface Pending {
  since: number;
  gone: PromiseWithResolvers<void>;
}

/** Interfaces are in group 0 by default; nobody else has one in this range. */
const GROUP_BASE = 0x7000_0000;
const SWEEP_MILLISECONDS = 20;
const PATIENCE_MILLISECONDS = 300;
