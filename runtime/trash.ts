import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
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

  /** Resolves when all that was discarded is gone. */
  async emptied(): Promise<void> {
    while (this.#emptying) await this.#emptying;
  }

  #empty(): void {
    this.#emptying ??= this.#removeAll().finally(() => {
      this.#emptying = undefined;
    });
  }

  async #removeAll(): Promise<void> {
    // Lets what is discarded together be removed together.
    await sleep(50);
    let names = readdirSync(this.#folder);
    while (names.length > 0) {
      const some = names.slice(0, 1000);
      try {
        const paths = some.map((name) => join(this.#folder, name));
        await this.#execute(['/bin/rm', '-rf', '--one-file-system', '--', ...paths]);
      } catch (error) {
        return console.error(`Could not empty "${this.#folder}":`, error);
      }
      names = readdirSync(this.#folder);
      const left = some.find((name) => names.includes(name));
      if (left) return console.error(`Could not empty "${this.#folder}": rm left "${left}".`);
    }
  }
}
