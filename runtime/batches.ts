/** Work that is asked for piece by piece and done for some at a time. */
export class Batches {
  readonly #options: BatchesOptions;
  readonly #pending = new Map<string, PromiseWithResolvers<void>>();
  #working: Promise<void> | undefined;

  constructor(options: BatchesOptions) {
    this.#options = options;
  }

  /** Resolves when it is done for this one, and rejects with what kept it from that. One that is asked for twice is done once. */
  add(name: string): Promise<void> {
    const pending = this.#pending.get(name) ?? Promise.withResolvers<void>();
    this.#pending.set(name, pending);
    this.#begin();
    return pending.promise;
  }

  #begin(): void {
    this.#working ??= this.#workAll().finally(() => {
      this.#working = undefined;
      if (this.#pending.size > 0) this.#begin();
    });
  }

  async #workAll(): Promise<void> {
    for (let isFirst = true; this.#pending.size > 0; isFirst = false) {
      await this.#options.gather(isFirst);
      const names = [...this.#pending.keys()].slice(0, this.#options.most);
      const results = await this.#options.work(names);
      for (const [index, name] of names.entries()) this.#settle(name, results[index]!);
    }
  }

  #settle(name: string, result: PromiseSettledResult<void>): void {
    const { resolve, reject } = this.#pending.get(name)!;
    this.#pending.delete(name);
    if (result.status === 'fulfilled') resolve();
    else reject(result.reason);
  }
}

export interface BatchesOptions {
  /** Waited for before each batch, so that what comes together is done together. `isFirst`: nothing was done just before. */
  gather: (isFirst: boolean) => Promise<unknown>;
  /** How many at a time. */
  most: number;
  /** What became of each; never rejects. */
  work: (names: string[]) => Promise<PromiseSettledResult<void>[]>;
}
