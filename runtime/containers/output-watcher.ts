import { type FSWatcher, mkdirSync, watch } from 'node:fs';

/** If the kernel's queue of notices ever overflows, output is late by this at most. */
const SWEEP_MILLISECONDS = 5000;

/** Tells which raw output files were written to: one inotify watch on their folder. */
export class OutputWatcher {
  readonly #listeners = new Map<string, () => void>();
  readonly #watcher: FSWatcher;
  readonly #sweep: NodeJS.Timeout;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#watcher = watch(folder, { persistent: false }, (_, name) => {
      if (name) this.#listeners.get(name)?.();
    });
    this.#sweep = setInterval(() => {
      for (const listener of this.#listeners.values()) listener();
    }, SWEEP_MILLISECONDS).unref();
  }

  /** Calls `listener` when the file of this name was written to (or may have been). */
  add(name: string, listener: () => void): void {
    this.#listeners.set(name, listener);
  }

  remove(name: string): void {
    this.#listeners.delete(name);
  }

  close(): void {
    this.#watcher.close();
    clearInterval(this.#sweep);
  }
}
