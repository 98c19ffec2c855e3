import { closeSync, constants, fchownSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { removeFile } from '../durable-file.ts';

/** Gives a range of a file back to the file system. */
export type PunchHole = (fd: number, range: { offset: number; length: number }) => void;

const BLOCK = 64 * 1024;
/** Read at most so much before other containers, and their apps, have their turn: the runtime comes before apps. */
const BLOCKS_PER_TURN = 4;
const PAUSE_MILLISECONDS = 1;
/** A container that writes without pause is read in steps of this. */
const STEP_MILLISECONDS = 5;
const PUNCH_SIZE = 1024 * 1024;
/** More unread output than this is skipped: the log could not hold it anyway. */
const MAX_BACKLOG = 32 * 1024 * 1024;
const KEPT_OF_BACKLOG = 1024 * 1024;
/** After an error of the disk. */
const RETRY_MILLISECONDS = 1000;

/** Shared by all: what is read is passed on before anybody else reads. */
const block = Buffer.allocUnsafeSlow(BLOCK);

export interface RawOutputListener {
  /** `chunk` is only valid during the call. Returns the position up to which nothing is needed any more. */
  onChunk(chunk: Buffer, position: number): number;
  /** So many bytes are skipped; the next chunk begins at `position`. Returns the same. */
  onSkip(bytes: number, position: number): number;
  /** The app has emptied the file: positions begin at 0 again. */
  onTruncated(): void;
}

/**
 * The file that is a container's stdout and stderr (O_APPEND, nobody between it and the app). We read it behind the app and
 * free what was read, so that the app never waits for us, goes on without us, and never uses much of the disk.
 */
export class RawOutput {
  readonly #path: string;
  readonly #listener: RawOutputListener;
  readonly #punchHole: PunchHole;
  #fd: number | undefined;
  #isOpen = false;
  #position = 0;
  #freed = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastTurn = 0;
  #draining = false;
  #isTroubled = false;

  constructor(path: string, options: { listener: RawOutputListener; punchHole: PunchHole }) {
    this.#path = path;
    this.#listener = options.listener;
    this.#punchHole = options.punchHole;
  }

  /**
   * A descriptor of the file, emptied, for the container; the caller closes it. The file is `uid`'s, so that the app can open /dev/stdout
   * by its name. From now on `wake` tells that there is something to read.
   */
  openForContainer(uid: number): number {
    const { O_WRONLY, O_APPEND, O_CREAT, O_TRUNC } = constants;
    const fd = openSync(this.#path, O_WRONLY | O_APPEND | O_CREAT | O_TRUNC, 0o600);
    if (process.getuid?.() === 0) fchownSync(fd, uid, 0);
    this.#begin(0);
    return fd;
  }

  /** Goes on reading at `position`; from then on `wake` tells that there is more. A container that writes nothing costs no descriptor. */
  open(position: number): void {
    // After a power cut the file may be shorter than what we noted.
    this.#begin(Math.min(position, sizeOf(this.#path)));
    this.wake();
  }

  /** Something was written, perhaps. */
  wake(): void {
    if (this.#timer || !this.#isOpen || this.#draining) return;
    const wait = this.#lastTurn + STEP_MILLISECONDS - performance.now();
    if (wait <= 0) this.#turn();
    else this.#schedule(wait);
  }

  /** How far it has been read. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that the container wrote and we have not read. */
  get backlog(): number {
    if (!this.#isOpen) return 0;
    const size = this.#fd === undefined ? sizeOf(this.#path) : fstatSync(this.#fd).size;
    return size - this.#position;
  }

  /** Reads what is left, with a turn of the event loop in between; the container has ended. */
  async drain(): Promise<void> {
    clearTimeout(this.#timer);
    this.#draining = true;
    try {
      this.#noticeTruncation();
      this.#skipFlood();
      do await new Promise(setImmediate);
      while (this.backlog > 0 && this.#readTurn());
    } catch (error) {
      this.#report(error);
    }
  }

  /** Also removes the file: all of it was read. What cannot be removed now is taken away by the next runtime, or emptied by the next start. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#isOpen = false;
    try {
      removeFile(this.#path);
    } catch (error) {
      this.#report(error);
    }
  }

  #begin(position: number): void {
    this.#isOpen = true;
    this.#position = position;
    this.#freed = 0;
    this.#draining = false;
    this.#isTroubled = false;
  }

  #turn(): void {
    this.#timer = undefined;
    if (!this.#isOpen || this.#draining) return;
    try {
      if (this.backlog === 0) return;
      this.#noticeTruncation();
      this.#skipFlood();
      const more = this.#readTurn();
      this.#isTroubled = false;
      this.#lastTurn = performance.now();
      if (more) this.#schedule(PAUSE_MILLISECONDS);
    } catch (error) {
      // The disk's: one container's output must not end the runtime.
      this.#report(error);
      this.#schedule(RETRY_MILLISECONDS);
    }
  }

  /** Once, not for each try. */
  #report(error: unknown): void {
    if (!this.#isTroubled)
      console.error(`The output in "${this.#path}" cannot be read or given back:`, error);
    this.#isTroubled = true;
  }

  #schedule(milliseconds: number): void {
    this.#timer = setTimeout(() => this.#turn(), milliseconds);
  }

  /** Returns whether there may be more. */
  #readTurn(): boolean {
    this.#ensureDescriptor();
    for (let count = 0; count < BLOCKS_PER_TURN; count++) {
      const length = readSync(this.#fd!, block, 0, BLOCK, this.#position);
      if (length === 0) return false;
      this.#position += length;
      this.#free(this.#listener.onChunk(block.subarray(0, length), this.#position));
      if (length < BLOCK) return false;
    }
    return true;
  }

  #ensureDescriptor(): void {
    if (this.#fd !== undefined) return;
    // A runtime that ended between the removal of the file and the note that the container has ended leaves none.
    this.#fd = openSync(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600);
  }

  #free(needless: number): void {
    if (needless - this.#freed < PUNCH_SIZE) return;
    try {
      this.#punchHole(this.#fd!, { offset: this.#freed, length: needless - this.#freed });
      this.#freed = needless;
    } catch (error) {
      this.#report(error);
    }
  }

  /** `echo x >/dev/stdout` does that: what stands in the file now has not been read. */
  #noticeTruncation(): void {
    if (this.backlog >= 0) return;
    this.#position = 0;
    this.#freed = 0;
    this.#listener.onTruncated();
  }

  #skipFlood(): void {
    const backlog = this.backlog;
    if (backlog <= MAX_BACKLOG) return;
    const skipped = backlog - KEPT_OF_BACKLOG;
    this.#ensureDescriptor();
    this.#position += skipped;
    this.#free(this.#listener.onSkip(skipped, this.#position));
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
