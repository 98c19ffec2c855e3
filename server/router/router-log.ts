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

/** Log lines on their way to whoever follows them; kept while nobody does. */
export class RouterLog {
  readonly #capacity: number;
  #lines: string[] = [];
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #followers = new Map<Writable, { missed: number }>();

  constructor(options: { capacity?: number } = {}) {
    this.#capacity = options.capacity ?? 10_000;
  }

  /** How many lines were lost since the start, because nobody took them in time. */
  get dropped(): number {
    return this.#dropped;
  }

  /** `stamp`: milliseconds since the epoch. */
  write(app: string, stamp: string, text: string): void {
    this.#lines.push(logLine(app, stamp, text));
    if (this.#followers.size > 0) {
      if (this.#lines.length >= BATCH) this.flush();
      else this.#timer ??= setTimeout(() => this.flush(), BATCH_DELAY);
    } else if (this.#lines.length >= this.#capacity * 2) {
      this.#trim();
    }
  }

  /** Sends what was kept, and from now on every line, and how many were lost. Ends with the stream. */
  follow(stream: Writable): void {
    this.#trim();
    this.#followers.set(stream, {
      missed: this.#followers.size === 0 ? this.#dropped - this.#toldDropped : 0,
    });
    this.#toldDropped = this.#dropped;
    stream.on('close', () => this.#followers.delete(stream));
    stream.on('error', () => this.#followers.delete(stream));
    this.flush();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#followers.size === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    const text = lines.join('');
    for (const [stream, follower] of this.#followers) {
      // A follower that does not keep up loses lines; it must not cost memory or hold others up.
      if (stream.writableLength > MAX_BEHIND) {
        follower.missed += lines.length;
        this.#dropped += lines.length;
        continue;
      }
      const missed = follower.missed > 0 ? droppedLine(follower.missed) : '';
      follower.missed = 0;
      if (missed || text) stream.write(missed + text, 'latin1');
    }
    this.#toldDropped = this.#dropped;
  }

  #toldDropped = 0;

  #trim(): void {
    const excess = this.#lines.length - this.#capacity;
    if (excess <= 0) return;
    this.#lines.splice(0, excess);
    this.#dropped += excess;
  }
}

const BATCH = 1000;
const BATCH_DELAY = 10;
const MAX_BEHIND = 8 * 1024 * 1024;
