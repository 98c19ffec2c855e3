import type { LogLine } from '../../deploy/platform.ts';

/**
 * A place in an app's log: after the `count`-th line of the millisecond `at`. Lines carry no number, so a reader
 * who comes back with it skips what is not newer; of lines with the same time it skips as many as it had seen.
 */
export class LogCursor {
  #at: number;
  #count: number;

  constructor(at = 0, count = 0) {
    this.#at = at;
    this.#count = count;
  }

  /** Parses `1789000000000.3`; undefined for anything else. */
  static parse(text: string | undefined): LogCursor | undefined {
    const match = /^(\d{1,15})\.(\d{1,9})$/.exec(text ?? '');
    return match ? new LogCursor(Number(match[1]), Number(match[2])) : undefined;
  }

  /** Steps over one line that was shown. */
  advance(line: LogLine): void {
    const at = line.at.getTime();
    if (at > this.#at) {
      this.#at = at;
      this.#count = 1;
    } else if (at === this.#at) {
      this.#count++;
    }
  }

  /** Of lines read again, tells those that the cursor has passed already. */
  skipper(): (line: LogLine) => boolean {
    let toSkip = this.#count;
    let caughtUp = false;
    return (line) => {
      const at = line.at.getTime();
      caughtUp ||= at > this.#at || (at === this.#at && toSkip-- <= 0);
      return !caughtUp;
    };
  }

  /** True if lines between the cursor and `oldest`, the first one that could be read again, may be missing. */
  isBefore(oldest: LogLine): boolean {
    return this.#at > 0 && oldest.at.getTime() > this.#at;
  }

  toString(): string {
    return `${this.#at}.${this.#count}`;
  }
}
