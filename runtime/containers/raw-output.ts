import { closeSync, constants, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { removeFile } from '../durable-file.ts';
import type { Descriptors } from './descriptors.ts';
import type { HeldDescriptors } from './held-descriptors.ts';
import type { OutputPipe } from './kernel.ts';

export type OutputDescriptors = Pick<Descriptors, 'openPipe' | 'punchHole'>;

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
/** No pipe of an app holds more; see pipe-max-size in proc_sys_fs(5). */
const MAX_PIPE = 1024 * 1024;
/** After an error of the disk. */
const RETRY_MILLISECONDS = 1000;

/** Shared by all: what is read is passed on before anybody else reads. */
const block = Buffer.allocUnsafeSlow(BLOCK);

export interface RawOutputListener {
  /** `chunk` is only valid during the call. Returns the position up to which nothing is needed any more. */
  onChunk(chunk: Buffer, position: number): number;
  /** So many bytes are skipped; the next chunk begins at `position`. Returns the same. */
  onSkip(bytes: number, position: number): number;
}

/**
 * The file of a container's stdout and stderr. They are a pipe, which its PID 1 empties into the file: were they the file itself, an app that
 * opens /dev/stderr by its name would empty it. We read it behind PID 1 and free what was read, so that the app never waits for us, goes
 * on without us, and never uses much of the disk.
 */
export class RawOutput {
  readonly #path: string;
  readonly #listener: RawOutputListener;
  readonly #descriptors: OutputDescriptors;
  #fd: number | undefined;
  /** PID 1's end of the pipe: when it is killed the rest is still in there. */
  #pipe: number | undefined;
  #isOpen = false;
  #position = 0;
  #freed = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastTurn = 0;
  #draining = false;
  #isTroubled = false;

  constructor(path: string, options: { listener: RawOutputListener; descriptors: OutputDescriptors }) {
    this.#path = path;
    this.#listener = options.listener;
    this.#descriptors = options.descriptors;
  }

  /**
   * A pipe for the container, and the file, emptied, for its PID 1. `write` and `file` are the caller's, in `held`. From now on `wake` tells
   * that there is something to read.
   */
  openForContainer(held: HeldDescriptors): OutputPipe & { write: number } {
    const { O_WRONLY, O_CREAT, O_TRUNC } = constants;
    const { file } = held.add({ file: openSync(this.#path, O_WRONLY | O_CREAT | O_TRUNC, 0o600) });
    const { read, write } = this.#descriptors.openPipe();
    this.#begin({ position: 0, pipe: read });
    held.add({ write });
    return { read, write, file };
  }

  /** Goes on reading at `position`; from then on `wake` tells that there is more. `pipe` as in `Kernel.adopt`, if there is one. */
  open(position: number, pipe: number | undefined): void {
    // After a power cut the file may be shorter than what we noted.
    this.#begin({ position: Math.min(position, sizeOf(this.#path)), pipe });
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
      this.#takeRest();
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
    for (const descriptor of [this.#fd, this.#pipe]) if (descriptor !== undefined) closeSync(descriptor);
    this.#fd = undefined;
    this.#pipe = undefined;
    this.#isOpen = false;
    try {
      removeFile(this.#path);
    } catch (error) {
      this.#report(error);
    }
  }

  #begin({ position, pipe }: { position: number; pipe: number | undefined }): void {
    this.#isOpen = true;
    this.#pipe = pipe;
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
      this.#descriptors.punchHole(this.#fd!, { offset: this.#freed, length: needless - this.#freed });
      this.#freed = needless;
    } catch (error) {
      this.#report(error);
    }
  }

  /** Behind what PID 1 has written: it may have been killed before it had moved all. Who has got the pipe from the app may still write. */
  #takeRest(): void {
    try {
      for (let taken = 0; taken < MAX_PIPE; ) {
        const length = this.#readPipe();
        if (length === 0) return;
        this.#ensureDescriptor();
        writeSync(this.#fd!, block, 0, length, fstatSync(this.#fd!).size);
        taken += length;
      }
    } catch (error) {
      this.#report(error);
    }
  }

  #readPipe(): number {
    if (this.#pipe === undefined) return 0;
    try {
      return readSync(this.#pipe, block, 0, BLOCK, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }

  /** A container of an earlier version, whose output the file itself is, has emptied it: what stands in there now has not been read. */
  #noticeTruncation(): void {
    if (this.backlog >= 0) return;
    this.#position = 0;
    this.#freed = 0;
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
