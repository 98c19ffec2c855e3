import type { FileWorker } from './file-worker.ts';

interface Question {
  path: string;
  root: number | undefined;
  resolve(bytes: number): void;
  reject(error: unknown): void;
}

/** Tells the bytes in folders that containers change: what is asked while a process walks shares the next one, however many ask. */
export class SizeQueue {
  readonly #worker: Pick<FileWorker, 'sizes'>;
  #waiting: Question[] = [];
  #isWalking = false;

  constructor(worker: Pick<FileWorker, 'sizes'>) {
    this.#worker = worker;
  }

  /** 0 for a folder that is not there. `root`: the path is relative to this one. */
  of(path: string, root?: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ path, root, resolve, reject });
      if (!this.#isWalking) void this.#walk();
    });
  }

  async #walk(): Promise<void> {
    this.#isWalking = true;
    // Those that are asked in the same turn go together.
    await null;
    while (this.#waiting.length > 0) {
      const { root } = this.#waiting[0]!;
      const asked = this.#waiting.filter((question) => question.root === root);
      this.#waiting = this.#waiting.filter((question) => question.root !== root);
      try {
        const paths = asked.map(({ path }) => path);
        const sizes = await this.#worker.sizes(paths, root);
        for (const [index, { resolve }] of asked.entries()) resolve(sizes[index]!);
      } catch (error) {
        for (const { reject } of asked) reject(error);
      }
    }
    this.#isWalking = false;
  }
}
