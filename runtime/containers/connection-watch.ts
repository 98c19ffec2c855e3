import { setTimeout as sleep } from 'node:timers/promises';
import { countSockets, countWaiting } from '../network/waiting-connections.ts';
import { turns } from '../turns.ts';
import type { Container } from './container.ts';
import type { Kernel } from './kernel.ts';

const EVERY_MILLISECONDS = 1000;
/** Looking at a thousand containers must take no more than one part in so many of a processor, but nobody goes unnoticed for long. */
const PAUSE_PER_LOOK = 100;
const LONGEST_MILLISECONDS = 2000;
/** In one container; a socket that listens holds 4096 at most. Each is some 4 KB. */
const MOST_WAITING = 16_384;

export interface ConnectionWatchOptions {
  kernel: Pick<Kernel, 'killForMemory'>;
  /** All containers. */
  containers: () => Container[];
}

/**
 * A connection that nobody has accepted yet is nobody's memory to the kernel: it counts from accept(2) on (net/ipv4/inet_connection_sock.c), so that a
 * container that connects to itself and accepts nothing takes all of the host's memory, whatever its limit. It is killed, as if it had
 * none left. One without a limit is left alone.
 */
export class ConnectionWatch {
  readonly #options: ConnectionWatchOptions;
  readonly #end = new AbortController();

  constructor(options: ConnectionWatchOptions) {
    this.#options = options;
  }

  /** Looks from now on. */
  open(): void {
    this.#watch().catch((error) => {
      if (!this.#end.signal.aborted)
        console.error('Connections that nobody accepts are not counted any more:', error);
    });
  }

  close(): void {
    this.#end.abort();
  }

  async #watch(): Promise<void> {
    for (let pause = EVERY_MILLISECONDS; ; ) {
      await sleep(pause, undefined, { signal: this.#end.signal, ref: false });
      const took = countSockets() > MOST_WAITING ? await this.#look() : 0;
      pause = Math.max(EVERY_MILLISECONDS, Math.min(PAUSE_PER_LOOK * took, LONGEST_MILLISECONDS));
    }
  }

  /** Resolves with how many milliseconds it worked. */
  async #look(): Promise<number> {
    let took = 0;
    for (const container of this.#options.containers()) {
      await turns.next();
      const began = performance.now();
      this.#lookAt(container);
      took += performance.now() - began;
    }
    return took;
  }

  #lookAt({ id, config, state }: Container): void {
    if (!('process' in state) || !config.host.Memory) return;
    const { pid } = state.process;
    if (countSockets(pid) <= MOST_WAITING) return;
    const waiting = countWaiting(pid, MOST_WAITING);
    if (waiting <= MOST_WAITING) return;
    console.error(
      `Container ${id} is killed: it accepts none of ${waiting} connections, which are memory of the host’s.`,
    );
    this.#options.kernel.killForMemory(id);
  }
}
