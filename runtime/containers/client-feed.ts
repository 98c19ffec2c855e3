import { closeSync, openSync, readSync } from 'node:fs';
import type { Writable } from 'node:stream';

/** More than this never waits in memory for a client. */
const MAX_UNTAKEN = 1024 * 1024;
const BLOCK = 64 * 1024;
const TOO_SLOW = 'this client does not take the output fast enough and gets no more of it';

/** How far a client may be behind; a test may want less. */
export interface FeedLimits {
  /** Bytes of the raw file, which stay on the disk for it. */
  behind: number;
  /** It must take something within this time, once there is nobody else to wait for. */
  patience: number;
}

export const FEED_LIMITS: FeedLimits = { behind: 1024 ** 3, patience: 10_000 };

/** An attached client, and how it is told why it gets no more. */
export interface AttachedClient {
  stream: Writable;
  /** Its stream must end after this. */
  drop: (reason: string) => void;
}

/**
 * What one attached client gets of a stream of a container: each byte once, live as long as it keeps up. When it does
 * not, it goes on from the raw file at its own pace, and nobody waits for it: not the app, nor the log, nor other clients.
 */
export class ClientFeed {
  readonly #client: AttachedClient;
  readonly #limits: FeedLimits;
  /** Undefined for a terminal, whose output is in no file. */
  readonly #rawPath: string | undefined;
  /** Undefined while live: how far it has come in the raw file. */
  #behind: { fd: number; position: number } | undefined;
  /** Where the live output is. */
  #live = 0;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(client: AttachedClient, options: { rawPath: string | undefined; limits: FeedLimits }) {
    this.#client = client;
    this.#rawPath = options.rawPath;
    this.#limits = options.limits;
    client.stream.on('drain', () => this.#goOn());
    client.stream.once('close', () => this.#close());
  }

  /** The first byte of the raw file that it still needs. */
  get needs(): number {
    return this.#behind?.position ?? Number.POSITIVE_INFINITY;
  }

  /** Whether a terminal should be read no further for now. */
  get congested(): boolean {
    return this.#rawPath === undefined && this.#client.stream.writableLength > MAX_UNTAKEN;
  }

  /** A copy of what came, which ends at `position`. */
  take(chunk: Buffer, position: number): void {
    this.#live = position;
    if (this.#behind) {
      if (position - this.#behind.position > this.#limits.behind) this.#drop(TOO_SLOW);
    } else if (this.#rawPath !== undefined && this.#client.stream.writableLength > MAX_UNTAKEN) {
      this.fallBehind(position - chunk.length);
    } else {
      this.#client.stream.write(chunk);
      if (this.congested) this.#expectProgress();
    }
  }

  /** From `position` on it reads the raw file itself. */
  fallBehind(position: number): void {
    if (this.#behind || this.#rawPath === undefined || this.#client.stream.destroyed) return;
    this.#behind = { fd: openSync(this.#rawPath, 'r'), position };
    if (!this.#client.stream.writableNeedDrain) setImmediate(() => this.#goOn());
  }

  /** Nothing more will come than is there by now. */
  end(position: number): void {
    this.#live = position;
    this.#ended = true;
    if (!this.#behind) return void this.#client.stream.end();
    this.#expectProgress();
  }

  #goOn(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      while (this.#behind) {
        if (!this.#readOn(this.#behind)) this.#catchUp();
        else if (this.#client.stream.writableNeedDrain) break;
      }
    } catch (error) {
      return void this.#drop(`the output cannot be read any more: ${(error as Error).message}`);
    }
    if (this.#ended && this.#behind) this.#expectProgress();
    else if (this.#ended) this.#client.stream.end();
  }

  /** Returns whether there was something. */
  #readOn(behind: { fd: number; position: number }): boolean {
    const block = Buffer.allocUnsafe(Math.min(BLOCK, Math.max(0, this.#live - behind.position)));
    const length = readSync(behind.fd, block, 0, block.length, behind.position);
    behind.position += length;
    if (length > 0) this.#client.stream.write(block.subarray(0, length));
    return length > 0;
  }

  #catchUp(): void {
    if (this.#behind) closeSync(this.#behind.fd);
    this.#behind = undefined;
  }

  #expectProgress(): void {
    this.#timer ??= setTimeout(() => this.#drop(TOO_SLOW), this.#limits.patience);
  }

  #drop(reason: string): void {
    this.#close();
    this.#client.drop(reason);
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#catchUp();
  }
}
