import type { Client, ClientUser, Entrance } from './client.ts';
import type { Connection } from './connection.ts';
import { type Answer, formatAnswer, refusal } from './error-page.ts';
import { Exchange } from './exchange.ts';
import { forwardedFields, VIA } from './forwarding.ts';
import { Refusal } from './refusal.ts';
import type { RequestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';
import { ResponseRelay } from './response-relay.ts';
import type { RouterContext } from './router-context.ts';
import { Tunnel } from './tunnel.ts';
import type { Wire, WireUser } from './wire.ts';

export interface ClientConnectionOptions {
  router: RouterContext;
  entrance: Entrance;
  /** The client's address. */
  peer: string;
  serverName?: string;
  /** Takes the connection over for its user. */
  open: (user: WireUser) => Wire;
  onClose: () => void;
}

/** One client's connection with HTTP/1.1: reads heads, and has one exchange after the other carry them out. */
export class ClientConnection implements Client, Connection, WireUser {
  readonly wire: Wire;
  readonly peer: string;
  readonly entrance: Entrance;
  readonly forwarded: string;
  readonly serverName: string | undefined;
  readonly version = 1;
  readonly #router: RouterContext;
  readonly #onClose: () => void;
  #user: ClientUser | undefined;
  /** What was read and is nobody's yet: part of a head, or requests that came before the last one's answer. */
  #pending: Buffer | undefined;
  #readingHeads = false;
  /** When the head that is being read began, or the last answer ended. */
  #since: number;
  #ended = false;
  #closeBy: number | undefined;

  constructor({ router, entrance, peer, serverName, open, onClose }: ClientConnectionOptions) {
    this.#router = router;
    this.#onClose = onClose;
    this.#since = router.clock.now;
    this.entrance = entrance;
    this.serverName = serverName;
    this.wire = open(this);
    this.peer = peer;
    this.forwarded = forwardedFields({ forwardedFor: peer, via: `1.1 ${VIA}` }, entrance);
  }

  get connection(): this {
    return this;
  }

  get blocked(): boolean {
    return this.wire.blocked;
  }

  get isTunnel(): boolean {
    return this.#user instanceof Tunnel;
  }

  /** Nobody would miss it. */
  get isIdle(): boolean {
    return this.#user === undefined;
  }

  pause(): void {
    this.wire.pause();
  }

  resume(): void {
    this.wire.resume();
  }

  inform(head: ResponseHead): void {
    this.wire.write(`${head.text}\r\n`);
  }

  respond(
    head: ResponseHead,
    options: { request: RequestHead; dyno: Wire; keepAlive: boolean },
  ): ResponseRelay {
    return new ResponseRelay(head, { ...options, client: this.wire });
  }

  answer(answer: Answer, options: { isHead: boolean; keepAlive: boolean }): void {
    const text = formatAnswer(answer, { date: this.#router.clock.date, ...options });
    if (!options.keepAlive) {
      this.finish(text);
      return;
    }
    this.wire.write(text);
    this.next();
  }

  hold(bytes: Buffer): void {
    this.#pending = this.#pending ? Buffer.concat([this.#pending, bytes]) : Buffer.from(bytes);
    this.wire.pause();
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

  next(): void {
    this.#user = undefined;
    this.#since = this.#router.clock.now;
    if (this.#router.stopping) this.finish();
    else this.#goOn();
  }

  /** Sends the rest, if any, and closes; what the client still sends is read for a while, so that it gets to see the answer. */
  finish(rest?: string): void {
    this.#user = undefined;
    this.#pending = undefined;
    this.#closeBy = this.#router.clock.now + this.#router.limits.silence;
    this.wire.end(rest);
    this.wire.resume();
  }

  close(): void {
    if (this.#pending) {
      this.finish();
      return;
    }
    this.#user = undefined;
    this.#closeBy = this.#router.clock.now + this.#router.limits.silence;
    this.wire.closeSoon();
  }

  abort(options: { reset: boolean }): void {
    this.#user = undefined;
    this.#pending = undefined;
    this.#closeBy = this.#router.clock.now + this.#router.limits.linger;
    if (options.reset) this.wire.reset();
    else this.wire.destroySoon();
  }

  /** Its answers say `Connection: close` from now on. */
  leave(): void {}

  destroy(): void {
    this.wire.destroy();
  }

  tick(now: number): void {
    const { limits } = this.#router;
    if (this.#closeBy !== undefined) {
      // What the client did not take by now is not kept for it in the kernel either.
      if (now > this.#closeBy) this.wire.reset();
    } else if (this.#user) {
      this.#user.tick(now);
    } else if (this.wire.sending) {
      if (now - this.#since > limits.silence) this.destroy();
    } else if (this.#pending) {
      if (now - this.#since > limits.headTime) this.#refuse(408);
    } else if (now - this.#since > limits.idleClient) {
      this.finish();
    }
  }

  read(bytes: Buffer, length: number): void {
    if (this.#closeBy !== undefined) return;
    if (this.#user instanceof Tunnel) {
      this.#user.fromClientRead(bytes, length);
    } else if (this.#user) {
      this.#user.fromClient(bytes.subarray(0, length));
    } else if (this.#pending) {
      this.#readMore(bytes.subarray(0, length));
    } else {
      this.#since = this.#router.clock.now;
      this.#readHead(bytes, length);
      if (this.#pending) this.#goOn();
    }
  }

  ended(): void {
    this.#ended = true;
    if (this.#user) this.#user.clientEnded();
    else if (this.#closeBy === undefined) this.finish();
  }

  drained(): void {
    if (this.#user) this.#user.clientDrained();
    else if (this.#closeBy === undefined) this.#goOn();
  }

  finished(): void {
    this.#closeBy = this.#router.clock.now + this.#router.limits.linger;
  }

  closed(): void {
    this.#onClose();
    const user = this.#user;
    this.#user = undefined;
    user?.clientClosed();
  }

  /** The rest of a head cannot have come without the end of a line. */
  #readMore(bytes: Buffer): void {
    this.#pending = Buffer.concat([this.#pending!, bytes]);
    const isTooLong = this.#pending.length > this.#router.limits.requestHead;
    if (isTooLong || bytes.includes(LF)) this.#goOn();
  }

  /** Starts on the next request if all of its head is there; goes round as long as requests are answered at once. */
  #goOn(): void {
    if (this.#readingHeads) return;
    this.#readingHeads = true;
    while (this.#isReady() && this.#pending && this.#readHead(this.#pending, this.#pending.length));
    this.#readingHeads = false;
    if (!this.#isReady()) return;
    if (this.#ended) this.finish();
    else this.wire.resume();
  }

  /** May begin another request: one that does not read its answers gets no more of them. */
  #isReady(): boolean {
    return this.#user === undefined && this.#closeBy === undefined && !this.wire.blocked;
  }

  /** Starts the request whose head stands at the beginning; false: there is none, or not all of it. */
  #readHead(bytes: Buffer, length: number): boolean {
    // One empty line before a request is to be skipped (RFC 9112, 2.2).
    const start = bytes[0] === CR && (length === 1 || bytes[1] === LF) ? 2 : 0;
    try {
      const head = this.#router.requestHeads.read(bytes, start, length);
      if ((head?.end ?? length) - start > this.#router.limits.requestHead)
        throw tooLong(bytes, start, length);
      if (!head) {
        this.#pending ??= Buffer.from(bytes.subarray(0, length));
        return false;
      }
      this.#pending = undefined;
      const exchange = new Exchange(this.#router, this, head);
      this.#user = exchange;
      exchange.start(head.end === length ? undefined : bytes.subarray(head.end, length));
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#refuse(error.status);
      return false;
    }
  }

  #refuse(status: number): void {
    this.finish(
      formatAnswer(refusal(status), { date: this.#router.clock.date, isHead: false, keepAlive: false }),
    );
  }
}

function tooLong(bytes: Buffer, start: number, end: number): Refusal {
  const lineEnd = bytes.subarray(start, end).indexOf('\r\n');
  return lineEnd < 0 || lineEnd > 16 * 1024
    ? new Refusal(414, 'request line too long')
    : new Refusal(431, 'head too long');
}

const CR = 0x0d;
const LF = 0x0a;
