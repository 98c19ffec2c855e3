/** Cuts text that comes in chunks into lines, without their ends. */
export class LineSplitter {
  #rest = '';

  /** The lines that this chunk completes. */
  push(chunk: string): string[] {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }

  /** What stood after the last line end, if anything. */
  flush(): string[] {
    const rest = this.#rest;
    this.#rest = '';
    return rest === '' ? [] : [rest];
  }
}
