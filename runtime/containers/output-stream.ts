import { type AttachedClient, ClientFeed, type FeedLimits } from './client-feed.ts';
import type { HeldDescriptors } from './held-descriptors.ts';
import type { OutputPipe } from './kernel.ts';
import { LineSplitter, type LogSource, type StampClock } from './log-record.ts';
import { type OutputDescriptors, RawOutput } from './raw-output.ts';

export interface OutputStreamOptions {
  source: LogSource;
  rawPath: string;
  descriptors: OutputDescriptors;
  clock: StampClock;
  limits: FeedLimits;
  /** Takes complete records; all before `position` stands in them. */
  record: (records: Buffer[], position: number) => void;
}

/** One stream of a container's output: its raw file, its records, and the clients attached to it. */
export class OutputStream {
  readonly #options: OutputStreamOptions;
  readonly #raw: RawOutput;
  readonly #splitter: LineSplitter;
  readonly #feeds = new Set<ClientFeed>();
  #terminal: { resume: () => void } | undefined;

  constructor(options: OutputStreamOptions) {
    this.#options = options;
    this.#splitter = new LineSplitter(options.clock, options.source);
    this.#raw = new RawOutput(options.rawPath, {
      descriptors: options.descriptors,
      listener: {
        onChunk: (chunk, position) => this.#take(chunk, position),
        onSkip: (bytes, position) => this.#skip(bytes, position),
      },
    });
  }

  openForContainer(held: HeldDescriptors): OutputPipe & { write: number } {
    this.#terminal = undefined;
    return this.#raw.openForContainer(held);
  }

  open(position: number, pipe: number | undefined): void {
    this.#terminal = undefined;
    this.#raw.open(position, pipe);
  }

  /** Output comes by `write`; `resume` is called when there is room for more again. */
  openTerminal(resume: () => void): void {
    this.#terminal = { resume };
  }

  wake(): void {
    this.#raw.wake();
  }

  /** From the terminal. Returns whether there is room for more. */
  write(chunk: Buffer): boolean {
    this.#take(chunk, 0);
    return ![...this.#feeds].some((feed) => feed.congested);
  }

  /** Everything from now on to the client, until the end of the container or its own. */
  attach(client: AttachedClient, { isTerminal }: { isTerminal: boolean }): void {
    const { rawPath, limits } = this.#options;
    const feed = new ClientFeed(client, { rawPath: isTerminal ? undefined : rawPath, limits });
    this.#feeds.add(feed);
    client.stream.on('drain', () => this.#terminal?.resume());
    client.stream.once('close', () => {
      this.#feeds.delete(feed);
      this.#terminal?.resume();
    });
  }

  /** The container has ended: records what is left. Clients that are behind take the rest at their own pace. */
  async finish(): Promise<void> {
    await this.#raw.drain();
    this.#options.record(this.#splitter.flush(), 0);
    this.close();
  }

  close(): void {
    for (const feed of this.#feeds) feed.end(this.#raw.position);
    this.#feeds.clear();
    this.#raw.close();
    this.#terminal = undefined;
  }

  /** Returns the position of the first byte that somebody still needs. */
  #take(chunk: Buffer, position: number): number {
    this.#record(chunk, position);
    if (this.#feeds.size > 0) {
      const copy = Buffer.from(chunk);
      for (const feed of this.#feeds) feed.take(copy, position);
    }
    return this.#needed(position);
  }

  /** Those who are attached miss nothing: they read it themselves. */
  #skip(bytes: number, position: number): number {
    for (const feed of this.#feeds) feed.fallBehind(position - bytes);
    const notice = Buffer.from(`[${bytes} bytes of output were skipped]\n`);
    this.#record(notice, position);
    for (const feed of this.#feeds) feed.take(Buffer.alloc(0), position);
    return this.#needed(position);
  }

  #record(chunk: Buffer, position: number): void {
    const records = this.#splitter.feed(chunk);
    if (records.length > 0) this.#options.record(records, Math.max(0, position - this.#splitter.pending));
  }

  #needed(position: number): number {
    return Math.min(position - this.#splitter.pending, ...[...this.#feeds].map((feed) => feed.needs));
  }
}
