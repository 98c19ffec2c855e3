import { EventEmitter, once } from 'node:events';
import { type AttachedClient, FEED_LIMITS, type FeedLimits } from './client-feed.ts';
import type { HeldDescriptors } from './held-descriptors.ts';
import type { OutputPipe } from './kernel.ts';
import { type LogFileReader, LogFiles, type Positions } from './log-files.ts';
import { type LogSource, type RecordFilter, type ShownText, StampClock, showRecords } from './log-record.ts';
import { OutputStream } from './output-stream.ts';
import type { OutputDescriptors } from './raw-output.ts';

export interface LogQuery extends RecordFilter {
  /** Only so many of the last records. */
  tail: number | undefined;
  follow: boolean;
  signal: AbortSignal;
}

export interface OutputOptions {
  /** Of stdout and stderr together, in the order of writing; stderr apart has `.stderr` behind it. */
  rawPath: string;
  /** stderr apart from stdout: what came first can then only be told to some milliseconds. */
  apart?: boolean;
  /** Output comes by `write`, not in raw files. */
  terminal?: boolean;
  descriptors: OutputDescriptors;
  logLimit?: number;
  limits?: FeedLimits;
}

/** The ending of the raw file of a stderr that is apart. */
export const STDERR_SUFFIX = '.stderr';

/**
 * All that a container writes: to its log, and at once to the clients that are attached.
 *
 *   app ──► pipe ──► PID 1 ──► raw file ──► (wake) ──┬──► records in the log ──► readers of the log, each at its own pace
 *   app ──► terminal ────────────────────────────────┘
 *                                                    └──► attached clients, byte by byte, each at its own pace
 */
export class ContainerOutput {
  readonly #files: LogFiles;
  readonly #streams: OutputStream[];
  readonly #changes = new EventEmitter();
  readonly #isTerminal: boolean;
  #open = false;

  constructor(folder: string, options: OutputOptions) {
    const { rawPath, descriptors, limits = FEED_LIMITS } = options;
    this.#isTerminal = options.terminal ?? false;
    this.#files = new LogFiles(folder, options.logLimit);
    this.#changes.setMaxListeners(0);
    const sources: LogSource[] = options.apart ? [0, 1] : [0];
    const clock = new StampClock();
    this.#streams = sources.map(
      (source) =>
        new OutputStream({
          ...{ source, clock, limits, descriptors },
          rawPath: source === 0 ? rawPath : rawPath + STDERR_SUFFIX,
          record: (records, position) => this.#record(source, { records, position }),
        }),
    );
  }

  /**
   * Pipes for the container's stdout and stderr, perhaps one, and their raw files, emptied. What the container gets is the caller's, in `held`.
   * Begins to read.
   */
  openForContainer(held: HeldDescriptors): { stdout: number; stderr: number; pipes: OutputPipe[] } {
    this.#files.open();
    this.#open = true;
    this.#files.append([], [0, 0]);
    const opened = this.#streams.map((stream) => stream.openForContainer(held));
    const [stdout, stderr = stdout] = opened;
    return { stdout: stdout!.write, stderr: stderr!.write, pipes: opened };
  }

  /** Goes on reading where the log says that we stopped. `pipes`, which it closes: what init has not moved at the end is still in them. */
  openRaw(pipes: number[] = []): void {
    this.#files.open();
    this.#open = true;
    for (const [source, stream] of this.#streams.entries()) {
      stream.open(this.#files.positions[source]!, pipes[source]);
    }
  }

  /** For a container with a terminal: `write` takes what comes from it, and `resume` says that it may go on. */
  openTerminal(resume: () => void): void {
    this.#files.open();
    this.#open = true;
    this.#streams[0]!.openTerminal(resume);
  }

  /** From the terminal. Returns false when the terminal should be read no further until `resume` is called. */
  write(chunk: Buffer): boolean {
    return this.#streams[0]!.write(chunk);
  }

  /** A raw file was written to, perhaps. */
  wake(): void {
    for (const stream of this.#streams) stream.wake();
  }

  /**
   * Sends everything from now on to these clients and ends them when the container ends. Where the streams are one, all of it
   * goes to stdout's client, or to stderr's if that is the only one.
   */
  attach(clients: { stdout: AttachedClient | undefined; stderr: AttachedClient | undefined }): void {
    const isTerminal = this.#isTerminal;
    const [stdout, stderr] = this.#streams;
    if (!stderr) {
      const [client, other] = [clients.stdout ?? clients.stderr, clients.stdout && clients.stderr];
      if (client) stdout!.attach(client, { isTerminal });
      other?.stream.end();
      return;
    }
    if (clients.stdout) stdout!.attach(clients.stdout, { isTerminal });
    if (clients.stderr) stderr.attach(clients.stderr, { isTerminal });
  }

  /** The container has ended: takes what is left, lets readers and attached clients end. */
  async finish(): Promise<void> {
    if (!this.#open) return;
    for (const stream of this.#streams) await stream.finish();
    this.#files.close();
    this.#open = false;
    this.#changes.emit('change');
  }

  /** The container's process could not be started. */
  discard(): void {
    for (const stream of this.#streams) stream.close();
    this.#files.close();
    this.#open = false;
  }

  /** The log in pieces, as `query` wants to see it. With `follow` until the container has ended. */
  async *read(query: LogQuery): AsyncGenerator<ShownText> {
    let reader: LogFileReader | undefined = this.#firstReader(query.tail);
    // Streams that are one answer to either name.
    const filter = this.#streams.length === 1 ? { ...query, sources: undefined } : query;
    try {
      while (!query.signal.aborted) {
        const block = reader?.read();
        if (block) {
          yield* showRecords(block, filter);
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

  #record(source: LogSource, { records, position }: { records: Buffer[]; position: number }): void {
    if (records.length === 0) return;
    const [stdout, stderr] = this.#files.positions;
    const positions: Positions = source === 0 ? [position, stderr] : [stdout, position];
    try {
      this.#files.append(records, positions);
    } catch (error) {
      // A full disk must not end the container's life; its log has a gap.
      console.error('Could not write to a log:', error);
    }
    this.#changes.emit('change');
  }
}
