import { PassThrough } from 'node:stream';
import { EngineError } from '../engine-error.ts';
import type { ContainerConfig } from './container-config.ts';
import type { ContainerOutput } from './container-output.ts';
import type { StoredContainer } from './container-store.ts';
import type { Health } from './health.ts';
import type { ContainerExit, TerminalSize } from './kernel.ts';
import { type ContainerState, isAlive } from './state.ts';
import type { TerminalStream } from './terminal-stream.ts';

/** Docker's words: `created` or `exited` are not running; what is restarting counts as running, and every end is told. */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/** One container as the engine knows it: what is on disk, and what only lives with this process. */
export class Container {
  config: ContainerConfig;
  state: ContainerState;
  readonly output: ContainerOutput;
  /** What attached clients write; connected to the process at start. Undefined: its stdin is empty. */
  stdin: PassThrough | undefined;
  terminal: TerminalStream | undefined;
  terminalSize: TerminalSize = { rows: 24, columns: 80 };
  /** An exit that was told before the start was through. */
  earlyExit: ContainerExit | undefined;
  /** Settles when the kernel holds nothing of the last run any more. */
  released: Promise<void> = Promise.resolve();
  /** What its health check found; undefined: it has none, or never ran. */
  health: Health | undefined;
  #doing: string | undefined;
  #idle: Promise<void> = Promise.resolve();
  readonly #waiters = new Set<{ condition: WaitCondition; resolve: (code: number) => void }>();

  constructor(stored: StoredContainer, output: ContainerOutput) {
    this.config = stored.config;
    this.state = stored.state;
    this.health = stored.health;
    this.output = output;
    this.renewStdin();
  }

  get id(): string {
    return this.config.id;
  }

  /** A process of it lives; it may be paused. */
  get running(): boolean {
    return isAlive(this.state);
  }

  /** It has ended, and its restart policy brings it back soon. */
  get restarting(): boolean {
    return this.state.status === 'restarting';
  }

  /** 0 for one that never ran, as in Docker. */
  get exitCode(): number {
    return 'exitCode' in this.state ? this.state.exitCode : 0;
  }

  /** Does `work` while nothing else that changes the container is done. Throws `conflict`. */
  async exclusively<T>(doing: string, work: () => Promise<T>): Promise<T> {
    if (this.#doing) {
      throw new EngineError('conflict', `Container ${this.id.slice(0, 12)} is ${this.#doing} at the moment.`);
    }
    this.#doing = doing;
    const idle = Promise.withResolvers<void>();
    this.#idle = idle.promise;
    try {
      return await work();
    } finally {
      this.#doing = undefined;
      idle.resolve();
    }
  }

  /** Something is done exclusively. */
  get busy(): boolean {
    return this.#doing !== undefined;
  }

  /** Resolves when nothing is done exclusively any more; of several who wait, one may begin with something before the others. */
  async idle(): Promise<void> {
    while (this.#doing) await this.#idle;
  }

  /** An empty stdin for the next start. */
  renewStdin(): void {
    this.stdin = this.config.process.OpenStdin ? new PassThrough() : undefined;
    // As many as there are clients.
    this.stdin?.setMaxListeners(0);
  }

  /** The exit code, when the condition comes true. */
  wait(condition: WaitCondition, signal: AbortSignal): Promise<number> {
    if (condition === 'not-running' && !this.running && !this.restarting)
      return Promise.resolve(this.exitCode);
    return new Promise((resolve, reject) => {
      const waiter = { condition, resolve };
      this.#waiters.add(waiter);
      const stop = () => {
        if (this.#waiters.delete(waiter)) reject(new EngineError('unavailable', 'Nobody waits any more.'));
      };
      signal.addEventListener('abort', stop, { once: true });
    });
  }

  /** Whether it ended within this time. */
  async endsWithin(milliseconds: number): Promise<boolean> {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), milliseconds);
    try {
      await this.wait('not-running', controller.signal);
      return true;
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
    }
  }

  /** To be called when the state says so. */
  tell(happened: 'exited' | 'removed'): void {
    for (const waiter of [...this.#waiters]) {
      if (happened === 'exited' && waiter.condition === 'removed') continue;
      this.#waiters.delete(waiter);
      waiter.resolve(this.exitCode);
    }
  }
}
