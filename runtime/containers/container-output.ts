import { EventEmitter, once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { type LogFileReader, LogFiles } from './log-files.ts';
import { LineSplitter, type RecordFilter, StampClock, showRecords } from './log-record.ts';
import { type PunchHole, RawOutput } from './raw-output.ts';

/** An attached client that has not taken so much holds the reading up, */
const MAX_UNTAKEN = 1024 * 1024;
/** until so much waits in the raw file, */
const MAX_BACKLOG_ATTACHED = 1024 * 1024 * 1024;
/** or the container has ended and the client has taken nothing for so long. */
const PATIENCE_MILLISECONDS = 10_000;
/** Unread output beyond this is skipped while nobody is attached. */
const MAX_BACKLOG = 32 * 1024 * 1024;

export interface LogQuery extends RecordFilter {
  /** Only so many of the last records. */
  tail: number | undefined;
  follow: boolean;
  signal: AbortSignal;
}

/**
 * All that a container writes: to its log, and at once to the clients that are attached.
 *
 *   app ──► raw file ──► (wake) ──┬──► records in the log ──► readers of the log, each at its own pace
 *   app ──► terminal ─────────────┘
 *                                 └──► attached clients, byte by byte
 */
export class ContainerOutput {
  readonly #files: LogFiles;
  readonly #raw: RawOutput;
  readonly #splitter = new LineSplitter(new StampClock());
  readonly #attached = new Set<Writable>();
  readonly #changes = new EventEmitter();
  #open = false;
  #resumeTerminal = () => {};

  constructor(folder: string, options: { rawPath: string; punchHole: PunchHole; logLimit?: number }) {
    this.#files = new LogFiles(folder, options.logLimit);
    this.#changes.setMaxListeners(0);
    this.#raw = new RawOutput(options.rawPath, {
      punchHole: options.punchHole,
      listener: {
        onChunk: (chunk, position) => this.#take(chunk, position),
        onSkipped: (bytes, position) => {
          this.#take(Buffer.from(`[${bytes} bytes of output were skipped]\n`), position);
        },
        backlogLimit: () => (this.#attached.size > 0 ? MAX_BACKLOG_ATTACHED : MAX_BACKLOG),
      },
    });
  }

  /** A descriptor of an empty raw file for the container's stdout and stderr; the caller closes it. */
  openForContainer(uid: number): number {
    this.#files.open();
    this.#files.append([], 0);
    return this.#raw.openForContainer(uid);
  }

  /** Goes on reading where the log says that we stopped. */
  openRaw(): void {
    this.#files.open();
    this.#open = true;
    this.#raw.open(this.#files.position);
  }

  /** For a container with a terminal: `write` takes what comes from it, and `resume` says that it may go on. */
  openTerminal(resume: () => void): void {
    this.#resumeTerminal = resume;
    this.#files.open();
    this.#open = true;
  }

  /** From the terminal. Returns false when the terminal should be read no further until `resume` is called. */
  write(chunk: Buffer): boolean {
    this.#take(chunk, 0);
    return !this.#congested();
  }

  /** The raw file was written to, perhaps. */
  wake(): void {
    if (this.#congested() && this.#raw.backlog > MAX_BACKLOG_ATTACHED) this.#dropCongested();
    this.#raw.wake();
  }

  /** Sends everything from now on to `client` and ends it when the container ends. Returns the function that ends it earlier. */
  attach(client: Writable): () => void {
    this.#attached.add(client);
    client.on('drain', () => this.#resumeIfPossible());
    const detach = () => {
      if (this.#attached.delete(client)) this.#resumeIfPossible();
    };
    client.on('close', detach);
    return detach;
  }

  /** The container has ended: takes what is left, lets readers and attached clients end. */
  async finish(): Promise<void> {
    if (!this.#open) return;
    await this.#raw.drain(() => this.#uncongested());
    this.#record(this.#splitter.flush(), 0);
    this.#raw.close();
    this.#files.close();
    this.#open = false;
    this.#changes.emit('change');
    for (const client of [...this.#attached]) client.end();
    this.#attached.clear();
  }

  /** The container's process could not be started. */
  discard(): void {
    this.#raw.close();
    this.#files.close();
    for (const client of [...this.#attached]) client.end();
    this.#attached.clear();
  }

  /** The log in blocks, as `query` wants to see it. With `follow` until the container has ended. */
  async *read(query: LogQuery): AsyncGenerator<Buffer> {
    let reader: LogFileReader | undefined = this.#firstReader(query.tail);
    try {
      while (!query.signal.aborted) {
        const block = reader?.read();
        if (block) {
          const shown = showRecords(block, query);
          if (shown.length > 0) yield shown;
        } else if (reader && reader.generation < this.#files.generation) {
          reader.close();
          reader = this.#files.readerAfter(reader.generation);
        } else if (query.follow && this.#open) {
          await once(this.#changes, 'change', { signal: query.signal }).catch(() => {});
          reader ??= this.#firstReader(undefined);
        } else return;
      }
    } finally {
      reader?.close();
    }
  }

  #firstReader(tail: number | undefined): LogFileReader | undefined {
    try {
      return this.#files.reader(tail);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Returns the position of the first byte that is in no record. */
  #take(chunk: Buffer, position: number): number {
    this.#record(this.#splitter.feed(chunk), position);
    if (this.#attached.size > 0) {
      const copy = Buffer.from(chunk);
      for (const client of this.#attached) client.write(copy);
      if (this.#congested()) this.#raw.pause();
    }
    return position - this.#splitter.pending;
  }

  #record(records: Buffer[], position: number): void {
    if (records.length === 0) return;
    try {
      this.#files.append(records, Math.max(0, position - this.#splitter.pending));
    } catch (error) {
      // A full disk must not end the container's life; its log has a gap.
      console.error('Could not write to a log:', error);
    }
    this.#changes.emit('change');
  }

  #congested(): boolean {
    for (const client of this.#attached) if (client.writableLength > MAX_UNTAKEN) return true;
    return false;
  }

  /** A turn of the event loop, and until every attached client has taken enough (or is dropped). */
  async #uncongested(): Promise<void> {
    await new Promise(setImmediate);
    if (!this.#congested()) return;
    const signal = AbortSignal.timeout(PATIENCE_MILLISECONDS);
    await once(this.#changes, 'resumed', { signal }).catch(() => this.#dropCongested());
  }

  #dropCongested(): void {
    for (const client of [...this.#attached]) if (client.writableLength > MAX_UNTAKEN) client.destroy();
  }

  #resumeIfPossible(): void {
    if (!this.#open || this.#congested()) return;
    this.#raw.resume();
    this.#resumeTerminal();
    this.#changes.emit('resumed');
  }
}

/** Whether a container ever wrote: its log is there. */
export function hasLog(folder: string): boolean {
  return existsSync(`${folder}/log`);
}
