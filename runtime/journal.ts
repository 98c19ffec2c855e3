import {
  closeSync,
  fdatasync,
  fdatasyncSync,
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
import { diskTrouble } from './disk-trouble.ts';
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
 *
 * What the disk refused once is lost, whatever it says later (fsync(2)): then `add` fails until all of it stands in a new file that is on the disk.
 */
export class Journal<T> {
  readonly #folder: string;
  readonly #snapshot: Snapshot<T>;
  readonly #growth: number;
  #number = 0;
  #fd = -1;
  #size = 0;
  #limit = 0;
  /** Files before this one's, open until nothing of them is needed any more. */
  #old: number[] = [];
  /** What the disk said when it did not take what was added. */
  #refusal: { error: unknown; until: number } | undefined;
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

  /** Begins a new file with a snapshot; on a full disk, or one that can only be read, it goes on with the last one. */
  begin(): void {
    try {
      this.#renew();
    } catch (error) {
      if (!diskTrouble(error) || this.#number === 0) throw error;
      console.error(`Could not renew "${this.#folder}", going on with what is there:`, error);
      this.#goOn(error);
    }
  }

  /** Throws if it could not be written; then it was not added. */
  add(value: T): void {
    if (this.#refusal) this.#beginAgain(this.#refusal);
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
    for (const fd of [this.#fd, ...this.#old.splice(0)]) closeSync(fd);
    this.#fd = -1;
  }

  #renew(): void {
    this.#goOnWith(this.#writeNext());
    this.#sync({ obsolete: this.#number });
  }

  /** `finish` brings it to the disk, if that must be seen before anybody relies on it. */
  #writeNext(finish: (fd: number) => void = () => {}): { fd: number; size: number } {
    const path = this.#path(this.#number + 1);
    const fd = openSync(path, 'w', 0o600);
    try {
      const lines = Array.from(this.#snapshot(), (value) => `${JSON.stringify(value)}\n`);
      const size = appendAll(fd, lines.join(''), 0);
      finish(fd);
      return { fd, size };
    } catch (error) {
      closeSync(fd);
      rmSync(path);
      throw error;
    }
  }

  #goOnWith({ fd, size }: { fd: number; size: number }): void {
    if (this.#fd >= 0) this.#old.push(this.#fd);
    this.#fd = fd;
    this.#size = size;
    this.#number++;
    this.#limit = size + this.#growth;
    this.#reserve();
  }

  /** Behind the last whole line. */
  #goOn(trouble: unknown): void {
    const path = this.#path(this.#number);
    const isReadOnly = (trouble as NodeJS.ErrnoException).code === 'EROFS';
    this.#size = readFileSync(path).lastIndexOf('\n') + 1;
    this.#limit = this.#size + this.#growth;
    this.#fd = openSync(path, isReadOnly ? 'r' : 'r+');
    if (isReadOnly) this.#refuse(trouble);
    else ftruncateSync(this.#fd, this.#size);
  }

  #refuse(error: unknown): void {
    this.#refusal = { error, until: performance.now() + SYNC_MILLISECONDS };
  }

  /** With everything in a new file, seen to be on the disk. Does not ask a disk that is slow to refuse at every turn. */
  #beginAgain({ error, until }: { error: unknown; until: number }): void {
    if (performance.now() < until) throw error;
    try {
      this.#goOnWith(this.#writeNext(fdatasyncSync));
      syncFolder(this.#folder);
      this.#refusal = undefined;
      this.#sync({ obsolete: this.#number });
    } catch (again) {
      this.#refuse(again);
      throw again;
    }
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
  #sync(after?: { obsolete: number }): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const fd = this.#fd;
    this.#syncing = this.#syncing
      .then(() => promisify(fdatasync)(fd))
      .then(() => after && this.#removeBefore(after.obsolete))
      .catch((error) => {
        console.error(`Could not bring "${this.#folder}" to the disk:`, error);
        this.#refuse(error);
      });
  }

  #removeBefore(obsolete: number): void {
    syncFolder(this.#folder);
    for (const number of this.#numbers()) if (number < obsolete) rmSync(this.#path(number));
    for (const fd of this.#old.splice(0)) closeSync(fd);
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
