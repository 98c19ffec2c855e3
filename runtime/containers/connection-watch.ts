import { setTimeout as sleep } from 'node:timers/promises';
import { countSockets, countSocketsOf, countWaiting } from '../network/waiting-connections.ts';
import type { Container } from './container.ts';
import type { Kernel } from './kernel.ts';

const EVERY_MILLISECONDS = 1000;
/** In one container; a socket that listens holds 4096 at most. Each is some 4 KB. */
const MOST_WAITING = 16_384;

export interface ConnectionWatchOptions {
  kernel: Pick<Kernel, 'killForMemory' | 'connectionHogs'>;
  /** All containers. */
  containers: () => Container[];
}

/**
 * Kills a container, as if it had no memory left, whose connections take of the host what no limit bounds:
 *
 * - Those that nobody has accepted yet are nobody's memory to the kernel: they count from accept(2) on (net/ipv4/inet_connection_sock.c), so that
 *   one that connects to itself and accepts nothing takes all of the host's memory. One without a limit is left alone.
 * - Those that the kernel remembers, when others have none left soon.
 */
export class ConnectionWatch {
  readonly #options: ConnectionWatchOptions;
  readonly #end = new AbortController();

  constructor(options: ConnectionWatchOptions) {
    this.#options = options;
  }

  /** Looks from now on. */
  open(): void {
    this.#watch().catch(() => {});
  }

  close(): void {
    this.#end.abort();
  }

  async #watch(): Promise<void> {
    for (;;) {
      await sleep(EVERY_MILLISECONDS, undefined, { signal: this.#end.signal, ref: false });
      try {
        if ((await countSockets()) > MOST_WAITING) await this.#endThoseThatAcceptNothing();
        await this.#endHogs();
      } catch (error) {
        console.error('The connections of containers cannot be counted:', error);
      }
    }
  }

  /** One after the other: where there are many containers a look takes longer, and nobody waits for it. */
  async #endThoseThatAcceptNothing(): Promise<void> {
    for (const container of this.#options.containers()) {
      const { id, config, state } = container;
      if (!('process' in state) || !config.host.Memory) continue;
      const { pid } = state.process;
      if ((await countSocketsOf(pid)) <= MOST_WAITING) continue;
      const waiting = await countWaiting(pid, MOST_WAITING);
      // It may have ended meanwhile, and run again.
      if (waiting > MOST_WAITING && container.state === state)
        this.#kill(id, `leaves more than ${MOST_WAITING} connections waiting`);
    }
  }

  async #endHogs(): Promise<void> {
    for (const id of await this.#options.kernel.connectionHogs())
      this.#kill(id, 'takes most of the connections that the kernel has room for');
  }

  #kill(id: string, because: string): void {
    if (this.#end.signal.aborted) return;
    console.error(`Container ${id} is killed: it ${because}.`);
    this.#options.kernel.killForMemory(id);
  }
}
