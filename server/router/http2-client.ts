import type { ServerHttp2Stream } from 'node:http2';
import { CHUNKED } from './body-framing.ts';
import type { Client, ClientUser, Entrance } from './client.ts';
import { type Answer, formatAnswer, refusal } from './error-page.ts';
import { Exchange } from './exchange.ts';
import { headersOf, lastChunk, type RawFields, requestHeadText, responseFields } from './http2-fields.ts';
import { Http2Response } from './http2-response.ts';
import { Refusal } from './refusal.ts';
import type { ResponseHead } from './response-head.ts';
import type { RouterContext } from './router-context.ts';
import type { Wire } from './wire.ts';

/** What a stream has of its connection. */
export interface Http2ClientOptions {
  router: RouterContext;
  peer: string;
  entrance: Entrance;
  forwarded: string;
  serverName: string;
  /** The stream is closed. `isWhole`: with a whole answer. */
  onClose: (isWhole: boolean) => void;
  /** It was closed, but no end comes of it. */
  onStuck: () => void;
}

/** One stream of HTTP/2: a request, whose body becomes HTTP/1.1's, and the way of its answer. */
export class Http2Client implements Client {
  readonly peer: string;
  readonly entrance: Entrance;
  readonly forwarded: string;
  readonly serverName: string;
  readonly version = 2;
  readonly connection = undefined;
  blocked = false;
  readonly #router: RouterContext;
  readonly #stream: ServerHttp2Stream;
  readonly #onStuck: () => void;
  #user: ClientUser | undefined;
  #hasBody = false;
  #trailers: RawFields = [];
  /** The answer was written. */
  #isOver = false;
  /** Since when nothing but its end is waited for. */
  #endingSince: number | undefined;

  constructor(stream: ServerHttp2Stream, options: Http2ClientOptions) {
    this.#router = options.router;
    this.peer = options.peer;
    this.entrance = options.entrance;
    this.forwarded = options.forwarded;
    this.serverName = options.serverName;
    this.#stream = stream;
    this.#onStuck = options.onStuck;
    stream.on('error', () => {});
    stream.on('drain', () => this.#drained());
    stream.on('aborted', () => this.#aborted());
    stream.on('close', () => this.#closed(options.onClose));
  }

  /** Takes the request. `hasBody`: more than its fields comes. */
  start(fields: RawFields, { hasBody }: { hasBody: boolean }): void {
    this.#hasBody = hasBody;
    try {
      const bytes = Buffer.from(requestHeadText(fields, { hasBody }), 'latin1');
      if (bytes.length > this.#router.limits.requestHead) throw new Refusal(431, 'head too long');
      const head = this.#router.requestHeads.read(bytes, 0, bytes.length);
      if (head?.end !== bytes.length) throw new Refusal(400, 'malformed fields');
      const exchange = new Exchange(this.#router, this, head);
      this.#user = exchange;
      if (hasBody) this.#readBody({ isChunked: head.body === CHUNKED });
      exchange.start(undefined);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#refuse(error.status);
    }
  }

  tick(now: number): void {
    if (this.#user) {
      this.#user.tick(now);
      return;
    }
    this.#endingSince ??= now;
    if (now - this.#endingSince <= this.#router.limits.silence) return;
    // Node does not always say, or see, that a stream has ended: after a GOAWAY it may read nothing more.
    if (this.#stream.closed) this.#onStuck();
    else this.destroy();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Nothing comes behind a request on its stream. */
  hold(): void {}

  inform(head: ResponseHead): void {
    if (this.#stream.headersSent || this.#stream.destroyed) return;
    const headers = headersOf(responseFields(head.text, head.status).slice(2));
    this.#stream.additionalHeaders({ ':status': head.status, ...headers });
  }

  respond(head: ResponseHead, { dyno }: { dyno: Wire }): Http2Response {
    const onBlocked = () => {
      this.blocked = true;
    };
    return new Http2Response(head, { stream: this.#stream, dyno, onBlocked });
  }

  answer(answer: Answer, { isHead }: { isHead: boolean }): void {
    const text = formatAnswer(answer, { date: this.#router.clock.date, isHead, keepAlive: true });
    const end = text.indexOf('\r\n\r\n') + 2;
    const page = text.slice(end + 2);
    if (!this.#stream.headersSent && !this.#stream.destroyed) {
      const fields = responseFields(text.slice(0, end), answer.status);
      this.#stream.respond(fields as never, { endStream: page === '' });
      if (page !== '') this.#stream.end(page, 'latin1');
    }
    this.finish();
  }

  next(): void {
    this.#over();
  }

  close(): void {
    this.#over();
  }

  finish(): void {
    this.#over();
  }

  abort(): void {
    this.#user = undefined;
    this.#stream.close(INTERNAL_ERROR);
  }

  destroy(): void {
    this.#stream.close(CANCEL);
  }

  #readBody({ isChunked }: { isChunked: boolean }): void {
    const stream = this.#stream;
    stream.on('trailers', (_headers: unknown, _flags: unknown, fields?: RawFields) => {
      this.#trailers = fields ?? [];
    });
    stream.on('data', (bytes: Buffer) => this.#user?.fromClient(isChunked ? chunkOf(bytes) : bytes));
    stream.on('end', () => this.#bodyEnded(isChunked));
  }

  #bodyEnded(isChunked: boolean): void {
    if (!this.#user) return;
    try {
      if (isChunked) this.#user.fromClient(Buffer.from(lastChunk(this.#trailers), 'latin1'));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#stream.close(PROTOCOL_ERROR);
    }
  }

  /** Malformed: a stream error (RFC 9113, 8.1.1); else an answer. */
  #refuse(status: number): void {
    if (status === 400) this.#stream.close(PROTOCOL_ERROR);
    else this.answer(refusal(status), { isHead: false });
  }

  #drained(): void {
    this.blocked = false;
    this.#user?.clientDrained();
  }

  /** RFC 9113, 8.1: a whole answer may come before the end of the request, which then is not wanted any more. */
  #over(): void {
    this.#user = undefined;
    this.#isOver = true;
    this.#endingSince = this.#router.clock.now;
    const stream = this.#stream;
    if (!this.#hasBody || stream.readableEnded) return;
    stream.resume();
    // Closed in the same turn, it would take the answer with it.
    const close = () => setImmediate(() => stream.readableEnded || stream.close(NO_ERROR));
    if (stream.writableFinished) close();
    else stream.once('finish', close);
  }

  /**
   * Given up before its answer was whole. Told at once: after a reset without an error Node has what came of the body end as if it were all of
   * it, and waits with `close` until it was read.
   */
  #aborted(): void {
    const user = this.#user;
    this.#user = undefined;
    user?.clientClosed();
    this.#stream.resume();
  }

  #closed(onClose: (isWhole: boolean) => void): void {
    const user = this.#user;
    this.#user = undefined;
    onClose(user === undefined && this.#isOver && this.#stream.writableFinished);
    user?.clientClosed();
  }
}

function chunkOf(bytes: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`, 'latin1'),
    bytes,
    Buffer.from('\r\n', 'latin1'),
  ]);
}

// RFC 9113, 7.
const NO_ERROR = 0;
const PROTOCOL_ERROR = 1;
const INTERNAL_ERROR = 2;
const CANCEL = 8;
