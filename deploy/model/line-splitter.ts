/** Cuts text that comes in chunks into lines, without their ends. */
export class LineSplitter {
  readonly #longest: number;
  #rest = '';

  /** `longest`: a line that is not complete and has more characters than that comes in pieces. */
  constructor(longest = Number.POSITIVE_INFINITY) {
    this.#longest = longest;
  }

  /** The lines that this chunk completes. */
  push(chunk: string): string[] {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    return this.#rest.length > this.#longest ? [...lines, ...this.flush()] : lines;
  }

  /** What stood after the last line end, if anything. */
  flush(): string[] {
    const rest = this.#rest;
    this.#rest = '';
    return rest === '' ? [] : [rest];
  }
}
