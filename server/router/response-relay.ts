import { type BodyFraming, CHUNKED, chunks, framingOf, NO_BODY, UNTIL_CLOSE } from './body-framing.ts';
import type { ClientResponse } from './client.ts';
import { formatResponseHead } from './forwarding.ts';
import type { RequestHead } from './request-head.ts';
import { BadResponse, type ResponseHead } from './response-head.ts';
import type { Wire } from './wire.ts';

/** A response in HTTP/1.1: head and body, framed for whom it goes to. */
export class ResponseRelay implements ClientResponse {
  readonly head: ResponseHead;
  readonly keepAlive: boolean;
  bytes = 0;
  done = false;
  readonly #client: Wire;
  readonly #dyno: Wire;
  readonly #isOld: boolean;
  /** Of a body that did not come whole with the head. */
  #framing: BodyFraming | undefined;
  /** The beginning of the response. */
  #heldBack: { head: string; body: Buffer[] } | undefined;

  /** `keepAlive`: the connection may be kept if the response's end can be told. */
  constructor(
    head: ResponseHead,
    options: { request: RequestHead; client: Wire; dyno: Wire; keepAlive: boolean },
  ) {
    this.#isOld = options.request.minor === 0;
    const endsWithConnection = this.#isOld && (head.body === UNTIL_CLOSE || head.body === CHUNKED);
    this.head = head;
    this.keepAlive = options.keepAlive && !endsWithConnection;
    this.#client = options.client;
    this.#dyno = options.dyno;
  }

  get isHeldBack(): boolean {
    return this.#heldBack !== undefined;
  }

  begin(bytes: Buffer, length: number, date: string): void {
    const { body, end } = this.head;
    const isWhole = body === NO_BODY ? length === end : body >= 0 && length === end + body;
    const text = this.#formatHead(date);
    if (!isWhole) {
      this.#beginPart(`${text}\r\n`, bytes.subarray(end, length));
      return;
    }
    this.done = true;
    this.bytes = length - end;
    if (this.head.rest !== undefined) this.#client.write(text + this.head.rest);
    else this.#client.writeBoth(`${text}\r\n`, bytes.subarray(end, length));
  }

  feed(chunk: Buffer): boolean {
    this.#release();
    const body: Buffer[] = [];
    const end = this.#framing!.feed(chunk, 0, body);
    this.done = this.#framing!.done;
    this.#write('', body);
    return end === chunk.length;
  }

  end(): void {
    this.#release();
    if (this.#isWrapped) this.#client.write(chunks.end);
  }

  cancel(): void {
    this.#heldBack = undefined;
  }

  /** The body ends with the dyno's connection; for the client it is put into chunks. */
  get #isWrapped(): boolean {
    return this.head.body === UNTIL_CLOSE && !this.#isOld;
  }

  #formatHead(date: string): string {
    const { body } = this.head;
    const isChunked = !this.#isOld && (body === CHUNKED || body === UNTIL_CLOSE);
    const connection = this.keepAlive ? (this.#isOld ? 'keep-alive' : undefined) : 'close';
    return formatResponseHead(this.head, { date, chunked: isChunked, connection });
  }

  #beginPart(head: string, chunk: Buffer): void {
    this.#framing = framingOf(this.head.body, { decode: this.#isOld });
    const body: Buffer[] = [];
    const end = this.#framing.feed(chunk, 0, body);
    if (end < chunk.length) throw new BadResponse(502, 'bytes after the end');
    this.done = this.#framing.done;
    if (this.done) this.#write(head, body);
    else this.#holdBack(head, body);
  }

  /**
   * Waits a moment for the rest of a short response: if the connection is lost instead, the client can still be told by an error.
   * Whatever comes next lets go of it.
   */
  #holdBack(head: string, body: Buffer[]): void {
    const size = body.reduce((sum, { length }) => sum + length, 0);
    if (size > HELD_BACK) {
      this.#write(head, body);
      return;
    }
    this.#heldBack = { head, body: body.map((piece) => Buffer.from(piece)) };
    if (this.head.body >= 0) setTimeout(() => this.#release(), HOLD_BACK);
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
    client.writeAll(head, this.#isWrapped ? chunks.wrap(body) : body);
    if (client.blocked && !this.done) this.#dyno.pause();
  }
}

const HOLD_BACK = 10;
const HELD_BACK = 16 * 1024;
