import type { Socket } from 'node:net';
import { type BodyFraming, CHUNKED, chunks, framingOf, UNTIL_CLOSE } from './body-framing.ts';
import { formatResponseHead } from './forwarding.ts';
import type { RequestHead } from './request-head.ts';
import { BadResponse, type ResponseHead } from './response-head.ts';

/** One response on its way from a dyno to a client: head and body, framed for whom it goes to, no faster than he reads. */
export class ResponseRelay {
  readonly head: ResponseHead;
  /** The client's connection can carry another request after this response. */
  readonly keepAlive: boolean;
  /** Of the body, as far as it came. */
  bytes = 0;
  readonly #client: Socket;
  readonly #dyno: Socket;
  readonly #framing: BodyFraming;
  /** The body ends with the dyno's connection; for the client it is put into chunks. */
  readonly #wrap: boolean;
  /** The beginning of the response. */
  #heldBack: { head: string; body: Buffer[] } | undefined;

  /** `keepAlive`: the connection may be kept if the response's end can be told. */
  constructor(
    head: ResponseHead,
    options: { request: RequestHead; client: Socket; dyno: Socket; keepAlive: boolean },
  ) {
    const isOld = options.request.minor === 0;
    const endsWithConnection = isOld && (head.body === UNTIL_CLOSE || head.body === CHUNKED);
    this.head = head;
    this.keepAlive = options.keepAlive && !endsWithConnection;
    this.#client = options.client;
    this.#dyno = options.dyno;
    this.#framing = framingOf(head.body, { decode: isOld });
    this.#wrap = head.body === UNTIL_CLOSE && !isOld;
  }

  get done(): boolean {
    return this.#framing.done;
  }

  /** Nothing was sent yet: an error can be answered instead. */
  get isHeldBack(): boolean {
    return this.#heldBack !== undefined;
  }

  /**
   * Takes what came with the head, from `start` on. Throws BadResponse if there is more than the response, FramingError if its body is
   * malformed; nothing was sent then.
   */
  begin(chunk: Buffer, options: { start: number; isOld: boolean; date: string }): void {
    const body: Buffer[] = [];
    const end = this.#framing.feed(chunk, options.start, body);
    if (end < chunk.length) throw new BadResponse(502, 'bytes after the end');
    const { isOld, date } = options;
    const text = formatResponseHead(this.head, {
      date,
      chunked: !isOld && (this.head.body === CHUNKED || this.head.body === UNTIL_CLOSE),
      connection: this.keepAlive ? (isOld ? 'keep-alive' : undefined) : 'close',
    });
    if (this.done) this.#write(text, body);
    else this.#holdBack(text, body);
  }

  /** Takes more of the body; returns false if there was more than that. Throws FramingError. */
  feed(chunk: Buffer): boolean {
    this.#release();
    const body: Buffer[] = [];
    const end = this.#framing.feed(chunk, 0, body);
    this.#write('', body);
    return end === chunk.length;
  }

  /** The dyno has closed the connection, and that was the end of the body. */
  end(): void {
    this.#release();
    if (this.#wrap) this.#client.write(chunks.end, 'latin1');
  }

  /** Nothing more is sent, not even what is held back. */
  cancel(): void {
    this.#heldBack = undefined;
  }

  /**
   * Waits a moment for the rest of a short response: if the connection is lost instead, the client can still be told by an error.
   * Whatever comes next lets go of it.
   */
  #holdBack(head: string, body: Buffer[]): void {
    this.#heldBack = { head, body };
    const isShort = this.head.body >= 0 && (body[0]?.length ?? 0) <= SMALL;
    if (isShort) setTimeout(() => this.#release(), HOLD_BACK);
    else setImmediate(() => this.#release());
  }

  #release(): void {
    const held = this.#heldBack;
    if (!held) return;
    this.#heldBack = undefined;
    this.#write(held.head, held.body);
  }

  #write(head: string, body: Buffer[]): void {
    const client = this.#client;
    for (const piece of body) this.bytes += piece.length;
    const pieces = this.#wrap ? chunks.wrap(body) : body;
    if (pieces.length === 0) {
      if (head) client.write(head, 'latin1');
    } else if (pieces.length === 1 && head && pieces[0]!.length <= SMALL) {
      // One string and one system call; latin1 keeps every byte as it is.
      client.write(head + pieces[0]!.toString('latin1'), 'latin1');
    } else if (pieces.length === 1 && !head) {
      client.write(pieces[0]!);
    } else {
      client.cork();
      if (head) client.write(head, 'latin1');
      for (const piece of pieces) client.write(piece);
      client.uncork();
    }
    if (client.writableNeedDrain && !this.done) this.#dyno.pause();
  }
}

const HOLD_BACK = 10;
const SMALL = 16 * 1024;
