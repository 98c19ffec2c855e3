import {
  closeSync,
  fdatasync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { syncFolder } from './durable-file.ts';
import { reserve } from './syscall/descriptors.ts';
import { SystemCallError } from './syscall/system-call.ts';

/** The values to write instead of everything so far. */
export type Snapshot<T> = () => Iterable<T>;

/**
 * Values that are added to a file, one line of JSON each; to be read again from the first to the last. Adding one is a write(2), a few
 * microseconds: it outlives us however we end, and reaches the disk within SYNC_MILLISECONDS, with all that were added meanwhile.
 *
 * When the file has grown, a new one is begun with a snapshot; the old one is removed once the new one is on the disk. Until then both are
 * there and are read in order, so values must mean the same when they are read twice.
 *
 * Room on the disk for the growth is taken in advance: on a full disk, what makes room can still be noted. Only then `add` fails.
 */
export class Journal<T> {
  readonly #folder: string;
  readonly #snapshot: Snapshot<T>;
  readonly #growth: number;
  #number = 0;
  #fd = -1;
  #size = 0;
  #limit = 0;
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> = Promise.resolve();

  /** `growth`: bytes by which the file may grow. */
  constructor(folder: string, options: { snapshot: Snapshot<T>; growth?: number }) {
    this.#folder = folder;
    this.#snapshot = options.snapshot;
    this.#growth = options.growth ?? 4 * 1024 * 1024;
  }

  /** Everything that was added. A line that a power cut tore is left out. Call it once, then `begin`. */
  read(): T[] {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const numbers = this.#numbers();
    this.#number = numbers.at(-1) ?? 0;
    return numbers.flatMap((number) => parseLines<T>(readFileSync(this.#path(number), 'utf8')));
  }

  /** Begins a new file with a snapshot; on a full disk it goes on with the last one. */
  begin(): void {
    try {
      this.#renew();
    } catch (error) {
      if (!isFull(error) || this.#number === 0) throw error;
      console.error(`Could not renew "${this.#folder}", going on with what is there:`, error);
      this.#goOn();
    }
  }

  /** Throws if it could not be written; then it was not added. */
  add(value: T): void {
    this.#size += appendAll(this.#fd, `${JSON.stringify(value)}\n`, this.#size);
    this.#timer ??= setTimeout(() => this.#sync(), SYNC_MILLISECONDS).unref();
    if (this.#size < this.#limit) return;
    try {
      this.#renew();
    } catch (error) {
      console.error(`Could not renew "${this.#folder}":`, error);
      this.#limit += this.#growth;
    }
  }

  /** Resolves when all that was added is on the disk. */
  async close(): Promise<void> {
    if (this.#fd < 0) return;
    // What is added while the rest goes to the disk comes with another round.
    do {
      this.#sync();
      await this.#syncing;
    } while (this.#timer);
    closeSync(this.#fd);
    this.#fd = -1;
  }

  #renew(): void {
    const path = this.#path(this.#number + 1);
    const fd = openSync(path, 'wx', 0o600);
    try {
      const lines = Array.from(this.#snapshot(), (value) => `${JSON.stringify(value)}\n`);
      this.#size = appendAll(fd, lines.join(''), 0);
    } catch (error) {
      closeSync(fd);
      rmSync(path);
      throw error;
    }
    const old = this.#fd;
    this.#fd = fd;
    this.#number++;
    this.#limit = this.#size + this.#growth;
    this.#reserve();
    this.#sync({ obsolete: this.#number, fd: old });
  }

  /** Behind the last whole line. */
  #goOn(): void {
    const text = readFileSync(this.#path(this.#number));
    this.#fd = openSync(this.#path(this.#number), 'r+');
    this.#size = text.lastIndexOf('\n') + 1;
    ftruncateSync(this.#fd, this.#size);
    this.#limit = this.#size + this.#growth;
  }

  /** Where there is no room, or the file system cannot do it, `add` finds out. */
  #reserve(): void {
    try {
      reserve(this.#fd, { offset: this.#size, length: this.#growth });
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
    }
  }

  /** Off the event loop, one after the other. `obsolete`: files before this one are not needed afterwards. */
  #sync(after?: { obsolete: number; fd: number }): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const fd = this.#fd;
    this.#syncing = this.#syncing
      .then(() => promisify(fdatasync)(fd))
      .then(() => after && this.#removeBefore(after))
      .catch((error) => console.error(`Could not bring "${this.#folder}" to the disk:`, error));
  }

  #removeBefore({ obsolete, fd }: { obsolete: number; fd: number }): void {
    syncFolder(this.#folder);
    for (const number of this.#numbers()) if (number < obsolete) rmSync(this.#path(number));
    if (fd >= 0) closeSync(fd);
  }

  #numbers(): number[] {
    return readdirSync(this.#folder)
      .filter((name) => /^\d+\.jsonl$/.test(name))
      .map((name) => Number.parseInt(name, 10))
      .sort((one, other) => one - other);
  }

  #path(number: number): string {
    return join(this.#folder, `${number}.jsonl`);
  }
}

const SYNC_MILLISECONDS = 500;

/** All of it, or nothing. Returns the bytes. */
function appendAll(fd: number, text: string, size: number): number {
  const bytes = Buffer.from(text);
  try {
    for (let written = 0; written < bytes.length; )
      written += writeSync(fd, bytes, written, bytes.length - written, size + written);
    return bytes.length;
  } catch (error) {
    ftruncateSync(fd, size);
    throw error;
  }
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function parseLines<T>(text: string): T[] {
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line) as T];
    } catch {
      console.error(`A record cannot be read and is left out: ${line.slice(0, 100)}`);
      return [];
    }
  });
}
