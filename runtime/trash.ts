import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where folders go that nobody needs: a rename, then `rm` in the background (one at a time).
 * What an app wrote may be nested deeper than a path may be long; rm(1) copes with that.
 */
export class Trash {
  readonly #folder: string;
  #emptying: Promise<void> | undefined;

  constructor(folder: string) {
    this.#folder = folder;
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
    await new Promise((resolve) => setTimeout(resolve, 50));
    let names = readdirSync(this.#folder);
    while (names.length > 0) {
      const code = await this.#remove(names.slice(0, 1000));
      if (code !== 0) return console.error(`Could not empty "${this.#folder}": rm exited with ${code}.`);
      names = readdirSync(this.#folder);
    }
  }

  #remove(names: string[]): Promise<number | null> {
    return new Promise((resolve) => {
      const paths = names.map((name) => join(this.#folder, name));
      const child = spawn('/bin/rm', ['-rf', '--one-file-system', '--', ...paths], {
        stdio: 'ignore',
        env: {},
      });
      child.on('error', () => resolve(null));
      child.on('close', resolve);
    });
  }
}
