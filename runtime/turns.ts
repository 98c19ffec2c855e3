/**
 * Keeps a crowd (of requests that came together, of containers to be looked at) from holding the event loop up: when those before it
 * have worked for a while, the next one waits until timers, output and other descriptors have had their turn.
 */
export class Turns {
  #since: number | undefined;
  #last: Promise<void> = Promise.resolve();

  /** Resolves when there is time to begin, nearly always at once: one after the other, as it is the work of those before that takes the time. */
  next(): Promise<void> {
    this.#last = this.#last.then(() => this.#turn());
    return this.#last;
  }

  #turn(): Promise<void> | undefined {
    if (this.#since === undefined) {
      this.#since = performance.now();
      setImmediate(() => {
        this.#since = undefined;
      });
    } else if (performance.now() - this.#since > LONGEST_MILLISECONDS) {
      return new Promise((resolve) => {
        setImmediate(() => resolve(this.#turn()));
      });
    }
    return undefined;
  }
}

const LONGEST_MILLISECONDS = 5;

/** Of this process, which has one event loop. */
export const turns = new Turns();
