import { readFileSync } from 'node:fs';
import { replaceFileDurably } from '../durable-file.ts';
import type { Forward, RefusedForward } from '../network/port-forwards.ts';
import type { Kernel } from './kernel.ts';

/** Which ports of the host lead to which containers, kept for the next runtime. */
export class ForwardList {
  readonly #file: string;
  readonly #kernel: Kernel;
  #forwards: Forward[] = [];

  constructor(options: { file: string; kernel: Kernel }) {
    this.#file = options.file;
    this.#kernel = options.kernel;
  }

  get all(): readonly Forward[] {
    return this.#forwards;
  }

  /** Takes up what an earlier runtime kept, for the containers that are still there. */
  async open(): Promise<void> {
    this.#forwards = this.#read();
    if (this.#forwards.length === 0) return;
    for (const { protocol, hostPort, reason } of await this.#kernel.forward(this.#forwards))
      console.error(`The port ${hostPort}/${protocol} has another holder now: ${reason}`);
  }

  /** In the place of the last ones; returns those that cannot be. */
  async set(forwards: Forward[]): Promise<RefusedForward[]> {
    const refused = await this.#kernel.forward(forwards);
    if (JSON.stringify(forwards) !== JSON.stringify(this.#forwards)) {
      replaceFileDurably(this.#file, JSON.stringify(forwards));
      this.#forwards = forwards;
    }
    return refused;
  }

  #read(): Forward[] {
    try {
      return JSON.parse(readFileSync(this.#file, 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        console.error('The kept ports cannot be read; the platform will say them again:', error);
      return [];
    }
  }
}
