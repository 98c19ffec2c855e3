import { closeSync, existsSync, fstatSync, openSync, readSync, renameSync, unlink, writeSync } from 'node:fs';
import { join } from 'node:path';

const HEADER_LENGTH = 32;
const NEWLINE = 10;
const BLOCK = 64 * 1024;

/** In bytes, of stdout's and of stderr's raw output. */
export type Positions = readonly [number, number];

/**
 * The log of one container: `log`, and before it `log.1` (and, for as long as its removal takes, `log.2`). Each begins with 32 bytes that say how much of the raw output
 * (stdout and stderr, in hexadecimal) stands in the log, so that a runtime that was killed goes on where it stopped:
 *
 *   read to 00000123456 00000000000\n
 *
 * The records' order of writing: records first, then the header. A kill in between repeats these few records.
 */
export class LogFiles {
  readonly #folder: string;
  readonly #limit: number;
  #fd: number | undefined;
  #isOpen = false;
  #size = 0;
  #generation = 0;
  #positions: Positions = [0, 0];

  /** `limit` in bytes for each of the two files. */
  constructor(folder: string, limit = 8 * 1024 * 1024) {
    this.#folder = folder;
    this.#limit = limit;
  }

  /** Counts the files there were: a reader at an older one than this has another to go to. */
  get generation(): number {
    return this.#generation;
  }

  /** How much of the raw output stands in the log. */
  get positions(): Positions {
    return this.#positions;
  }

  /** Opens the log for writing, if there is one; the first record makes it. One that the disk does not give is put aside. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    const path = join(this.#folder, 'log');
    if (!existsSync(path)) return;
    try {
      this.#takeUp(path);
    } catch (error) {
      console.error(`The log "${path}" cannot be gone on with:`, error);
      this.#putAside(path);
    }
  }

  /** Adds records and notes how far the raw output is read. */
  append(records: Buffer[], positions: Positions): void {
    if (!this.#isOpen) throw new Error(`The log in "${this.#folder}" is not open.`);
    this.#positions = positions;
    if (this.#fd === undefined && records.length === 0) return;
    if (this.#fd === undefined) this.#create();
    if (this.#size > this.#limit) this.#rotate();
    if (records.length > 0) {
      const block = records.length === 1 ? records[0]! : Buffer.concat(records);
      this.#size += writeSync(this.#fd!, block, 0, block.length, this.#size);
    }
    this.#writePositions(positions);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#isOpen = false;
  }

  /** A reader at the begin of the oldest file, or at the last `tail` records. */
  reader(tail?: number): LogFileReader {
    const older = this.#openForReading(this.#generation - 1);
    const current = this.#openForReading(this.#generation);
    if (tail === undefined || !current) return pickReader(older ?? current, current);
    const inCurrent = current.seekTail(tail);
    if (inCurrent >= tail || !older) return pickReader(current, older);
    older.seekTail(tail - inCurrent);
    return pickReader(older, current);
  }

  /** A reader at the begin of the file after `generation`, or of the oldest that is left. */
  readerAfter(generation: number): LogFileReader | undefined {
    const next = Math.max(generation + 1, this.#generation - 1);
    return this.#openForReading(next) ?? this.#openForReading(this.#generation);
  }

  #takeUp(path: string): void {
    this.#fd = openSync(path, 'r+');
    this.#size = fstatSync(this.#fd).size;
    if (this.#size < HEADER_LENGTH) {
      this.#writePositions([0, 0]);
      this.#size = HEADER_LENGTH;
    } else {
      this.#positions = readPositions(this.#fd);
      this.#endTornRecord();
    }
  }

  #putAside(path: string): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    try {
      renameSync(path, join(this.#folder, 'log.1'));
    } catch (error) {
      console.error(`Could not put "${path}" aside:`, error);
    }
  }

  #openForReading(generation: number): LogFileReader | undefined {
    const path = join(this.#folder, generation === this.#generation ? 'log' : 'log.1');
    return existsSync(path) ? new LogFileReader(openSync(path, 'r'), generation) : undefined;
  }

  #rotate(): void {
    const path = (name: string) => join(this.#folder, name);
    closeSync(this.#fd!);
    this.#fd = undefined;
    // Of a file that takes the place of another ext4 writes out all at once: for 8 ms, in which nobody else has that processor.
    if (existsSync(path('log.1'))) renameSync(path('log.1'), path('log.2'));
    renameSync(path('log'), path('log.1'));
    unlink(path('log.2'), () => {});
    this.#generation++;
    this.#create();
  }

  #create(): void {
    this.#fd = openSync(join(this.#folder, 'log'), 'w+', 0o600);
    this.#writePositions(this.#positions);
    this.#size = HEADER_LENGTH;
  }

  #writePositions(positions: Positions): void {
    this.#positions = positions;
    const digits = positions.map((position) => position.toString(16).padStart(11, '0'));
    writeSync(this.#fd!, `read to ${digits.join(' ')}\n`, 0);
  }

  /** After a power cut or a full disk the last record may lack its end. */
  #endTornRecord(): void {
    const last = Buffer.alloc(1);
    readSync(this.#fd!, last, 0, 1, this.#size - 1);
    if (last[0] !== NEWLINE) this.#size += writeSync(this.#fd!, '\n', this.#size);
  }
}

/** Reads one log file in blocks of whole records. It stays readable when the file is renamed or removed. */
export class LogFileReader {
  readonly generation: number;
  readonly #fd: number;
  #offset = HEADER_LENGTH;

  constructor(fd: number, generation: number) {
    this.#fd = fd;
    this.generation = generation;
  }

  /** The next records, up to 64 KiB; undefined at the end (there may be more later). */
  read(): Buffer | undefined {
    const buffer = Buffer.allocUnsafe(BLOCK);
    const length = readSync(this.#fd, buffer, 0, BLOCK, this.#offset);
    const end = length === 0 ? 0 : buffer.subarray(0, length).lastIndexOf(NEWLINE) + 1;
    this.#offset += end;
    return end === 0 ? undefined : buffer.subarray(0, end);
  }

  /** Goes to the last `count` records. Returns how many there are, at most `count`. */
  seekTail(count: number): number {
    const buffer = Buffer.allocUnsafe(BLOCK);
    let end = fstatSync(this.#fd).size;
    let found = -1; // The newline at the very end ends the last record; it begins none.
    if (count === 0) {
      this.#offset = Math.max(end, HEADER_LENGTH);
      return 0;
    }
    while (end > HEADER_LENGTH) {
      const start = Math.max(HEADER_LENGTH, end - BLOCK);
      const block = buffer.subarray(0, readSync(this.#fd, buffer, 0, end - start, start));
      for (
        let at = block.lastIndexOf(NEWLINE);
        at >= 0;
        at = at > 0 ? block.lastIndexOf(NEWLINE, at - 1) : -1
      ) {
        if (++found === count) {
          this.#offset = start + at + 1;
          return count;
        }
      }
      end = start;
    }
    this.#offset = HEADER_LENGTH;
    return Math.max(found + 1, 0);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function pickReader(chosen: LogFileReader | undefined, other: LogFileReader | undefined): LogFileReader {
  if (other !== chosen) other?.close();
  if (!chosen) throw Object.assign(new Error('The container has no log.'), { code: 'ENOENT' });
  return chosen;
}

function readPositions(fd: number): Positions {
  const header = Buffer.alloc(HEADER_LENGTH);
  readSync(fd, header, 0, HEADER_LENGTH, 0);
  const match = /^read to ([0-9a-f]{11}) ([0-9a-f]{11})\n$/.exec(header.toString('latin1'));
  if (match) return [Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16)];
  // As version 0.1 wrote it.
  return [Number(/(\d{16})\n$/.exec(header.toString('latin1'))?.[1] ?? 0), 0];
}
