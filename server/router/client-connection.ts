import type { Socket } from 'node:net';
import { formatAnswer, refusal } from './error-page.ts';
import { Exchange } from './exchange.ts';
import type { Limits } from './limits.ts';
import { parseRequestHead, parseRequestLine, Refusal } from './request-head.ts';
import type { RouteMap } from './route-map.ts';
import type { RouterLog } from './router-log.ts';
import { Tunnel } from './tunnel.ts';

/** What every connection shares. */
export interface RouterContext {
  routes: RouteMap;
  log: RouterLog;
  limits: Limits;
  scheme: 'http' | 'https';
  /** Where clients connect. */
  port: number;
  /** Connections are closed after the request that they carry. */
  stopping: boolean;
  clock: {
    /** performance.now() of the last sweep: what all limits are reckoned by. */
    now: number;
    /** For Date fields. */
    date: string;
  };
}

/** Whoever a client's connection works for at the moment: an exchange, or a tunnel. */
export interface ClientUser {
  fromClient(chunk: Buffer): void;
  /** The client will send nothing more. */
  clientEnded(): void;
  clientClosed(): void;
  clientDrained(): void;
  tick(now: number): void;
}

/** One client's connection: reads heads, and has one exchange after the other carry them out. */
export class ClientConnection {
  readonly socket: Socket;
  readonly peer: string;
  readonly #router: RouterContext;
  #user: ClientUser | undefined;
  /** What was read and is nobody's yet: part of a head, or requests that came before the last one's answer. */
  #pending: Buffer | undefined;
  /** How far the end of the head was looked for. */
  #searched = 0;
  #lineChecked = false;
  #readingHeads = false;
  /** When the head that is being read began, or the last answer ended. */
  #since: number;
  #ended = false;
  #closeBy: number | undefined;

  constructor(socket: Socket, router: RouterContext) {
    this.socket = socket;
    this.#router = router;
    this.#since = router.clock.now;
    this.peer = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('end', () => this.#end());
    socket.on('drain', () => this.#drain());
    socket.on('error', () => socket.destroy());
    socket.on('finish', () => {
      if (this.#closeBy !== undefined) this.#closeBy = router.clock.now + router.limits.linger;
    });
    socket.on('close', () => {
      const user = this.#user;
      this.#user = undefined;
      user?.clientClosed();
    });
  }

  get isTunnel(): boolean {
    return this.#user instanceof Tunnel;
  }

  /** Nobody would miss it. */
  get isIdle(): boolean {
    return this.#user === undefined;
  }

  /** Keeps bytes that come after the request in progress. */
  hold(bytes: Buffer): void {
    this.#pending = this.#pending ? Buffer.concat([this.#pending, bytes]) : bytes;
    this.socket.pause();
  }

  /** Hands over what was held. */
  takeHeld(): Buffer | undefined {
    const held = this.#pending;
    this.#pending = undefined;
    return held;
  }

  /** From now on the connection is this user's. */
  use(user: ClientUser): void {
    this.#user = user;
  }

  /** The answer is written, the request was read to its end: on with the next one. */
  next(): void {
    this.#user = undefined;
    this.#since = this.#router.clock.now;
    if (this.#router.stopping) this.finish();
    else this.#readHeads();
  }

  /** Sends the rest, if any, and closes; what the client still sends is read for a while, so that it gets to see the answer. */
  finish(rest?: string): void {
    this.#user = undefined;
    this.#pending = undefined;
    this.#closeBy = this.#router.clock.now + this.#router.limits.silence;
    if (rest === undefined) this.socket.end();
    else this.socket.end(rest, 'latin1');
    this.socket.resume();
  }

  /** Closes in the middle of an answer. `reset`: its end could else be taken for the end of the answer. */
  abort(options: { reset: boolean }): void {
    this.#user = undefined;
    this.#pending = undefined;
    this.#closeBy = this.#router.clock.now + this.#router.limits.linger;
    if (options.reset) this.socket.resetAndDestroy();
    else this.socket.destroySoon();
  }

  /** Closes it now, whatever it does; its user is told. */
  destroy(): void {
    this.socket.destroy();
  }

  tick(now: number): void {
    const { limits } = this.#router;
    if (this.#closeBy !== undefined) {
      // What the client did not take by now is not kept for it in the kernel either.
      if (now > this.#closeBy) this.socket.resetAndDestroy();
    } else if (this.#user) {
      this.#user.tick(now);
    } else if (this.socket.writableNeedDrain) {
      if (now - this.#since > limits.silence) this.destroy();
    } else if (this.#pending) {
      if (now - this.#since > limits.headTime) this.#refuse(408);
    } else if (now - this.#since > limits.idleClient) {
      this.finish();
    }
  }

  #read(chunk: Buffer): void {
    if (this.#closeBy !== undefined) return;
    if (this.#user) {
      this.#user.fromClient(chunk);
      return;
    }
    if (this.#pending) {
      this.#pending = Buffer.concat([this.#pending, chunk]);
    } else {
      this.#pending = chunk;
      this.#since = this.#router.clock.now;
    }
    this.#readHeads();
  }

  #end(): void {
    this.#ended = true;
    if (this.#user) this.#user.clientEnded();
    else if (this.#closeBy === undefined) this.finish();
  }

  #drain(): void {
    if (this.#user) this.#user.clientDrained();
    else this.#readHeads();
  }

  /** Starts on the next request if all of its head is there; goes round as long as requests are answered at once. */
  #readHeads(): void {
    if (this.#readingHeads) return;
    this.#readingHeads = true;
    while (this.#isReady() && this.#pending && this.#readHead(this.#pending));
    this.#readingHeads = false;
    if (!this.#isReady()) return;
    if (this.#ended) this.finish();
    else if (this.socket.isPaused()) this.socket.resume();
  }

  /** May begin another request: one that does not read its answers gets no more of them. */
  #isReady(): boolean {
    return this.#user === undefined && this.#closeBy === undefined && !this.socket.writableNeedDrain;
  }

  #readHead(bytes: Buffer): boolean {
    // One empty line before a request is to be skipped (RFC 9112, 2.2).
    const start = bytes[0] === CR && bytes[1] === LF ? 2 : 0;
    const end = bytes.indexOf(HEAD_END, Math.max(start, this.#searched - 3));
    try {
      if (end < 0) {
        this.#checkPart(bytes, start);
        return false;
      }
      if (end - start > this.#router.limits.requestHead) throw tooLong(bytes, start);
      const head = parseRequestHead(bytes.toString('latin1', start, end + 2));
      this.#pending = undefined;
      this.#searched = 0;
      this.#lineChecked = false;
      const exchange = new Exchange(this.#router, this, head);
      this.#user = exchange;
      exchange.start(bytes.subarray(end + 4));
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#refuse(error.status);
      return false;
    }
  }

  /** Refuses a head that will never be one before it is complete: it may never be. */
  #checkPart(bytes: Buffer, start: number): void {
    if (bytes.length - start > this.#router.limits.requestHead) throw tooLong(bytes, start);
    for (let at = bytes.indexOf(LF, this.#searched); at >= 0; at = bytes.indexOf(LF, at + 1)) {
      if (bytes[at - 1] !== CR) throw new Refusal(400, 'bare LF');
    }
    this.#searched = bytes.length;
    const lineEnd = bytes.indexOf('\r\n', start);
    if (lineEnd >= 0 && !this.#lineChecked) {
      parseRequestLine(bytes.toString('latin1', start, lineEnd));
      this.#lineChecked = true;
    } else if (bytes.length > start && !isVisible(bytes[start]!) && bytes[start] !== CR) {
      // A TLS greeting, for one.
      throw new Refusal(400, 'not a request');
    }
  }

  #refuse(status: number): void {
    this.finish(
      formatAnswer(refusal(status), { date: this.#router.clock.date, isHead: false, keepAlive: false }),
    );
  }
}

function tooLong(bytes: Buffer, start: number): Refusal {
  const lineEnd = bytes.indexOf('\r\n', start);
  return lineEnd < 0 || lineEnd - start > 16 * 1024
    ? new Refusal(414, 'request line too long')
    : new Refusal(431, 'head too long');
}

function isVisible(byte: number): boolean {
  return byte > 0x20 && byte < 0x7f;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const CR = 0x0d;
const LF = 0x0a;
