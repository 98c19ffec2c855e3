import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { removeFile } from '../durable-file.ts';
import type { Trash } from '../trash.ts';
import { Refill } from './refill.ts';

/**
 * Containers' folders made in advance, with what the first start needs in them (`exit`), and the files of their raw output. They are made off the event loop.
 * What an earlier process made is not used: it may be half done.
 */
export class ReadyFolders {
  readonly #folder: string;
  readonly #output: string;
  readonly #trash: Trash;
  readonly #refill = new Refill({ least: LEAST, most: MOST }, () => this.#begin());
  /** Their names: the ids of the containers to come. */
  readonly #ready: string[] = [];
  #filling: Promise<void> | undefined;
  #closed = false;

  /** `folder`: where they are, beside those that are taken; `output`: where the raw output is. */
  constructor({ folder, output }: { folder: string; output: string }, trash: Trash) {
    this.#folder = folder;
    this.#output = output;
    this.#trash = trash;
  }

  /** Begins to make some. */
  open(): void {
    this.#refill.checkIn('calm');
  }

  /** The id of the container that is made next, whose folder is ready; or a new one. */
  nextId(): string {
    return this.#ready[0] ?? newId();
  }

  /** Gives the container its folder. Throws if none can be made. */
  take(id: string): void {
    this.#refill.note();
    if (this.#ready[0] === id) this.#ready.shift();
    else makeAtOnce(this.#path(id), this.#outputPath(id));
    this.#refill.checkIn('calm');
  }

  /** Of a container that is removed: it may never have been started. */
  removeOutput(id: string): void {
    try {
      removeFile(this.#outputPath(id));
    } catch {
      // The next runtime takes it away.
    }
  }

  /** Something goes on that needs the processors more than what is made in advance. */
  postpone(): void {
    this.#refill.postpone();
  }

  /** Takes away those that nobody took. Resolves when nothing is made any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#refill.stop();
    await this.#filling;
    for (const id of this.#ready.splice(0)) this.#drop(id);
  }

  #path(id: string): string {
    return join(this.#folder, id);
  }

  #outputPath(id: string): string {
    return join(this.#output, id);
  }

  #drop(id: string): void {
    this.#trash.remove(this.#path(id));
    this.removeOutput(id);
  }

  #begin(): void {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = undefined;
      if (this.#ready.length > LEAST && !this.#closed) this.#refill.checkIn('later');
    });
  }

  async #fill(): Promise<void> {
    while (!this.#closed && this.#ready.length < this.#refill.target) {
      if (this.#refill.isRush && this.#ready.length > 0) {
        this.#refill.checkIn('calm');
        return;
      }
      const id = newId();
      try {
        await make(this.#path(id), this.#outputPath(id));
        this.#ready.push(id);
      } catch {
        // A full disk, mostly: whoever needs a folder will be told.
        this.#drop(id);
        return;
      }
    }
    for (const id of this.#ready.splice(this.#refill.target)) this.#drop(id);
  }
}

function newId(): string {
  return randomBytes(32).toString('hex');
}

async function make(path: string, output: string): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  await writeFile(join(path, OUTPUT), '', { mode: 0o600 });
  await rename(join(path, OUTPUT), output);
  await writeFile(join(path, 'exit'), '', { mode: 0o600 });
}

/** The folder and the file of raw output: what is left is made as it is needed. */
function makeAtOnce(path: string, output: string): void {
  mkdirSync(path, { mode: 0o700 });
  writeFileSync(join(path, OUTPUT), '', { mode: 0o600 });
  renameSync(join(path, OUTPUT), output);
}

/** What is made in a folder is near it on the disk: so is the file of raw output, before it gets to those of all others. See `spreadFolders`. */
const OUTPUT = 'output';
const LEAST = 8;
const MOST = 1024;
