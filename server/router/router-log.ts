import type { Writable } from 'node:stream';
import { type ErrorCode, routerErrors } from './error-page.ts';
import { droppedLine, logLine } from './log-lines.ts';

/** What the log says of one request. */
export interface Outcome {
  code: ErrorCode | undefined;
  method: string;
  target: string;
  host: string;
  requestId: string;
  /** The chain of client addresses. */
  forwardedFor: string;
  dyno: string | undefined;
  /** Milliseconds; undefined: it did not get so far. */
  connect: number | undefined;
  service: number | undefined;
  status: number;
  /** Of the response's body. */
  bytes: number;
  protocol: 'http' | 'https';
}

/** One line as Heroku's router writes them. */
export function formatOutcome(outcome: Outcome): string {
  const { code } = outcome;
  // A blank app is no error of anybody's.
  const level = code === undefined || code === 'H80' || code === 'H81' ? 'at=info' : 'at=error';
  const error = code === undefined ? '' : ` code=${code} desc="${routerErrors[code].desc}"`;
  return (
    `${level}${error} method=${outcome.method} path="${quoted(outcome.target)}" host=${outcome.host}` +
    ` request_id=${outcome.requestId} fwd="${quoted(outcome.forwardedFor)}" dyno=${outcome.dyno ?? ''}` +
    ` connect=${inMs(outcome.connect)} service=${inMs(outcome.service)} status=${outcome.status}` +
    ` bytes=${outcome.bytes} protocol=${outcome.protocol}`
  );
}

function inMs(time: number | undefined): string {
  return time === undefined ? '' : `${Math.round(time)}ms`;
}

function isSafe(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e || code === QUOTE) return false;
  }
  return true;
}

/** Keeps what a client wrote inside its quotes and on its line. */
function quoted(text: string): string {
  if (text.length <= MAX_QUOTED && isSafe(text)) return text;
  return text
    .slice(0, MAX_QUOTED)
    .replace(UNSAFE, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`);
}

const MAX_QUOTED = 4096;
const QUOTE = 0x22;
const UNSAFE = /[^ !#-~]/g;

/** Lines in memory of the log's own. */
interface Block {
  bytes: Buffer;
  /** Bytes. */
  used: number;
  lines: number;
}

/**
 * Log lines on their way to whoever follows them; kept while nobody does. A line becomes bytes at once: a string that waits would be copied
 * by the garbage collector, with all that it was put together from.
 */
export class RouterLog {
  readonly #capacity: number;
  /** Full ones, the oldest first, while nobody follows. */
  #kept: Block[] = [];
  /** What comes next. */
  #block: Block = { bytes: NOTHING, used: 0, lines: 0 };
  readonly #spare: Buffer[] = [];
  #dropped = 0;
  #toldDropped = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #followers = new Map<Writable, { missed: number }>();

  /** `capacity`: bytes that are kept while nobody follows; a block more may be. */
  constructor(options: { capacity?: number } = {}) {
    this.#capacity = options.capacity ?? 4 * 1024 * 1024;
  }

  /** How many lines were lost since the start, because nobody took them in time. */
  get dropped(): number {
    return this.#dropped;
  }

  /** `stamp`: milliseconds since the epoch. */
  write(app: string, stamp: string, text: string): void {
    const line = logLine(app, stamp, text);
    if (this.#block.used + line.length > this.#block.bytes.length) {
      this.#endBlock();
      this.#block.bytes = this.#spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK);
    }
    this.#block.used += this.#block.bytes.write(line, this.#block.used, 'latin1');
    this.#block.lines++;
    if (this.#followers.size > 0) this.#timer ??= setTimeout(() => this.flush(), BATCH_DELAY);
  }

  /** Sends what was kept, and from now on every line, and how many were lost. Ends with the stream. */
  follow(stream: Writable): void {
    this.#followers.set(stream, {
      missed: this.#followers.size === 0 ? this.#dropped - this.#toldDropped : 0,
    });
    this.#toldDropped = this.#dropped;
    stream.on('close', () => this.#followers.delete(stream));
    stream.on('error', () => this.#followers.delete(stream));
    for (const block of this.#kept.splice(0)) this.#send(block);
    this.flush();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#followers.size > 0) this.#endBlock();
  }

  /** Hands it over to all who follow, or keeps it for whoever comes next. */
  #endBlock(): void {
    const block = this.#block;
    this.#block = { bytes: NOTHING, used: 0, lines: 0 };
    if (this.#followers.size > 0) this.#send(block);
    else if (block.lines > 0) this.#keep(block);
  }

  #keep(block: Block): void {
    this.#kept.push(block);
    if (this.#kept.length * BLOCK <= this.#capacity) return;
    const { bytes, lines } = this.#kept.shift()!;
    this.#dropped += lines;
    this.#spare.push(bytes);
  }

  #send({ bytes, used, lines }: Block): void {
    const text = bytes.subarray(0, used);
    let readers = 1;
    const done = () => {
      if (--readers === 0 && this.#spare.length < SPARE) this.#spare.push(bytes);
    };
    for (const [stream, follower] of this.#followers) {
      // A follower that does not keep up loses lines; it must not cost memory or hold others up.
      if (stream.writableLength > MAX_BEHIND) {
        follower.missed += lines;
        this.#dropped += lines;
        continue;
      }
      if (follower.missed > 0) stream.write(droppedLine(follower.missed), 'latin1');
      follower.missed = 0;
      if (used === 0) continue;
      readers++;
      stream.write(text, done);
    }
    this.#toldDropped = this.#dropped;
    if (bytes.length > 0) done();
  }
}

const NOTHING = Buffer.alloc(0);
const BLOCK = 64 * 1024;
const SPARE = 4;
const BATCH_DELAY = 10;
const MAX_BEHIND = 8 * 1024 * 1024;
