import { setTimeout as sleep } from 'node:timers/promises';
import { fetchText, type Target } from './user-tools.ts';

/** Sends requests at a steady rate, whatever becomes of the earlier ones, and counts those that fail. */
export class LoadGenerator {
  readonly #target: Target;
  readonly #pause: number;
  readonly #pending = new Set<Promise<void>>();
  readonly #failures: string[] = [];
  readonly #answers = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #requests = 0;
  #slowest = 0;

  constructor(options: Target & { perSecond: number }) {
    this.#target = options;
    this.#pause = 1000 / options.perSecond;
  }

  start(): void {
    this.#timer = setInterval(() => this.#send(), this.#pause);
  }

  /** Resolves when an answer with this text came. Throws after a minute. */
  async seeAnswer(text: string): Promise<void> {
    for (let waited = 0; !this.#answers.has(text); waited += 50) {
      if (waited > 60_000) throw new Error(`the app did not answer "${text}" within a minute`);
      await sleep(50);
    }
  }

  /** Waits for what is under way. `slowest` in milliseconds. */
  async stop(): Promise<{ requests: number; failures: string[]; slowest: number }> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    return { requests: this.#requests, failures: this.#failures, slowest: this.#slowest };
  }

  #send(): void {
    const begun = performance.now();
    this.#requests += 1;
    const request = fetchText(this.#target).then(
      (text) => {
        this.#answers.add(text);
        this.#slowest = Math.max(this.#slowest, performance.now() - begun);
      },
      (error: Error) => {
        this.#failures.push(error.message);
      },
    );
    const tracked = request.finally(() => this.#pending.delete(tracked));
    this.#pending.add(tracked);
  }
}
