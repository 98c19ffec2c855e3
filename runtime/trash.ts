import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Runs a program to its end, without input and output. */
export type Execute = (args: string[]) => Promise<void>;

/**
 * Where folders go that nobody needs: a rename, then `rm` in the background (one at a time).
 * What an app wrote may be nested deeper than a path may be long; rm(1) copes with that.
 */
export class Trash {
  readonly #folder: string;
  readonly #execute: Execute;
  readonly #condemned: string[] = [];
  #hasMore = false;
  #emptying: Promise<void> | undefined;

  constructor(folder: string, execute: Execute) {
    this.#folder = folder;
    this.#execute = execute;
  }

  /** Makes the folder and removes what an earlier process left. */
  open(): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    if (readdirSync(this.#folder).length > 0) this.#empty();
  }

  /** Takes the file or folder away at once; what is not there is no error. */
  discard(path: string): void {
    try {
      renameSync(path, join(this.#folder, randomBytes(8).toString('hex')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    this.#empty();
  }

  /** As `discard`, for what an earlier process left: where it cannot be taken away, it is in nobody's way. */
  tidy(path: string): void {
    try {
      this.discard(path);
    } catch (error) {
      console.error(`Could not remove "${path}":`, error);
    }
  }

  /** Removes the folder in the background. For a path that is never used again, and that the next process knows to be needless. */
  remove(path: string): void {
    this.#condemned.push(path);
    this.#empty();
  }

  /** Resolves when all that was discarded is gone. */
  async emptied(): Promise<void> {
    while (this.#emptying) await this.#emptying;
  }

  #empty(): void {
    this.#hasMore = true;
    this.#emptying ??= this.#removeAll().finally(() => {
      this.#emptying = undefined;
      if (this.#hasMore) this.#empty();
    });
  }

  async #removeAll(): Promise<void> {
    // Lets what is discarded together be removed together.
    await sleep(50);
    for (let some = this.#next(); some.length > 0; some = this.#next()) {
      try {
        await this.#execute(['/bin/rm', '-rf', '--one-file-system', '--', ...some]);
      } catch (error) {
        return console.error(`Could not empty "${this.#folder}":`, error);
      }
      const left = some.find((path) => existsSync(path));
      if (left) return console.error(`Could not remove "${left}".`);
    }
  }

  /** So many that rm takes them as arguments. */
  #next(): string[] {
    const MOST = 1000;
    this.#hasMore = false;
    const discarded = readdirSync(this.#folder).map((name) => join(this.#folder, name));
    return [...this.#condemned.splice(0, MOST), ...discarded].slice(0, MOST);
  }
}
