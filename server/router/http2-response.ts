import type { ServerHttp2Stream } from 'node:http2';
import { type BodyFraming, CHUNKED, framingOf } from './body-framing.ts';
import type { ClientResponse } from './client.ts';
import { headersOf, responseFields } from './http2-fields.ts';
import { BadResponse, type ResponseHead } from './response-head.ts';
import type { Wire } from './wire.ts';

/** A response in HTTP/2: the dyno's framing is taken off, its trailers are passed on. */
export class Http2Response implements ClientResponse {
  readonly head: ResponseHead;
  readonly keepAlive = true;
  bytes = 0;
  readonly isHeldBack = false;
  readonly #stream: ServerHttp2Stream;
  readonly #dyno: Wire;
  readonly #framing: BodyFraming;
  readonly #onBlocked: () => void;

  /** `onBlocked`: the client takes no more for now. */
  constructor(head: ResponseHead, options: { stream: ServerHttp2Stream; dyno: Wire; onBlocked: () => void }) {
    this.head = head;
    this.#stream = options.stream;
    this.#dyno = options.dyno;
    this.#onBlocked = options.onBlocked;
    this.#framing = framingOf(head.body, { decode: true });
  }

  get done(): boolean {
    return this.#framing.done;
  }

  begin(bytes: Buffer, length: number, date: string): void {
    const pieces: Buffer[] = [];
    const body = bytes.subarray(this.head.end, length);
    const end = this.#framing.feed(body, 0, pieces);
    if (end < body.length) throw new BadResponse(502, 'bytes after the end');
    const text = this.head.hasDate ? this.head.text : `${this.head.text}Date: ${date}\r\n`;
    this.#respond(responseFields(text, this.head.status), pieces);
  }

  feed(chunk: Buffer): boolean {
    const pieces: Buffer[] = [];
    const end = this.#framing.feed(chunk, 0, pieces);
    this.#write(pieces);
    return end === chunk.length;
  }

  end(): void {
    this.#stream.end();
  }

  cancel(): void {}

  #respond(fields: string[], pieces: Buffer[]): void {
    const stream = this.#stream;
    if (stream.closed || stream.destroyed) return;
    const isEmpty = this.done && pieces.length === 0 && !this.#framing.trailers;
    const waitForTrailers = this.head.body === CHUNKED && !isEmpty;
    if (waitForTrailers) stream.once('wantTrailers', () => this.#sendTrailers());
    try {
      stream.respond(fields as never, { endStream: isEmpty, waitForTrailers });
    } catch (error) {
      throw new BadResponse(502, `not to be said in HTTP/2: ${(error as Error).message}`);
    }
    if (!isEmpty) this.#write(pieces);
  }

  #sendTrailers(): void {
    if (this.#stream.closed || this.#stream.destroyed) return;
    this.#stream.sendTrailers(headersOf(responseFields(this.#framing.trailers ?? '')));
  }

  /** `pieces` are of a read, and overwritten by the next one. */
  #write(pieces: Buffer[]): void {
    const stream = this.#stream;
    // Node ends it with its head where HTTP has no body: a 205.
    if (stream.closed || stream.destroyed || stream.writableEnded) return;
    for (const piece of pieces) this.bytes += piece.length;
    const bytes = Buffer.concat(pieces);
    if (this.done) {
      if (bytes.length > 0) stream.end(bytes);
      else stream.end();
    } else if (bytes.length > 0 && !stream.write(bytes)) {
      this.#onBlocked();
      this.#dyno.pause();
    }
  }
}
