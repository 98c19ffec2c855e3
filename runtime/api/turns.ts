/**
 * Keeps a crowd of requests that came together from holding the event loop up: when those before it have worked for a while, the next one
 * waits until timers, output and the ends of containers have had their turn.
 */
export class Turns {
  #since: number | undefined;

  /** Resolves when there is time to begin; nearly always at once. */
  async next(): Promise<void> {
    while (this.#since !== undefined && performance.now() - this.#since > LONGEST_MILLISECONDS) {
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
    if (this.#since !== undefined) return;
    this.#since = performance.now();
    setImmediate(() => {
      this.#since = undefined;
    });
  }
}

const LONGEST_MILLISECONDS = 5;
