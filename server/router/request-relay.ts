import { type BodyFraming, framingOf, NO_BODY } from './body-framing.ts';
import type { Client, Entrance } from './client.ts';
import { formatRequestHead, forwardedFields, forwardedForOf, VIA } from './forwarding.ts';
import type { RequestHead } from './request-head.ts';
import type { RouterContext } from './router-context.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import type { Wire } from './wire.ts';

/** One request on its way from a client to a dyno, no faster than that reads. */
export class RequestRelay {
  readonly head: RequestHead;
  readonly id: string;
  readonly forwardedFor: string;
  readonly #start: string;
  readonly #router: RouterContext;
  readonly #client: Client;
  readonly #framing: BodyFraming | undefined;
  /** What of the body waits for a connection, or is kept to be sent once more. */
  #kept: Buffer[] | undefined;
  /** Where it goes, as soon as it is sent. */
  #dyno: Wire | undefined;
  #bytes = 0;
  /** The beginning of the period in which enough bytes must come. */
  #mark: { at: number; bytes: number } | undefined;

  constructor(head: RequestHead, options: { router: RouterContext; client: Client }) {
    const { router, client } = options;
    this.head = head;
    this.#router = router;
    this.#client = client;
    this.id = head.requestId || router.ids.next();
    this.forwardedFor = forwardedForOf(head, client.peer);
    this.#start = router.clock.stamp();
    if (head.body !== NO_BODY) {
      this.#framing = framingOf(head.body);
      this.#mark = { at: router.clock.now, bytes: 0 };
    }
  }

  /** The client's address. */
  get peer(): string {
    return this.#client.peer;
  }

  get entrance(): Entrance {
    return this.#client.entrance;
  }

  /** All of it was read. */
  get done(): boolean {
    return this.#framing === undefined || this.#framing.done;
  }

  /** Can be sent once more without harm: all of it is here, and sending it twice is as good as once (RFC 9110, 9.2.2). */
  get isRepeatable(): boolean {
    return this.done && IDEMPOTENT.has(this.head.method) && !this.head.upgrade;
  }

  /** Takes bytes of the body, passes them on or keeps them; returns where the body ended in them. Throws FramingError. */
  feed(chunk: Buffer): number {
    this.#bytes += chunk.length;
    const pieces: Buffer[] = [];
    const end = this.#framing!.feed(chunk, 0, pieces);
    if (this.#dyno) this.#dyno.writeAll('', pieces);
    else this.#keep(pieces);
    if (!this.done && (!this.#dyno || this.#dyno.blocked)) this.#client.pause();
    return end;
  }

  /** Sends the head and what there is of the body; more follows as it comes. */
  sendTo({ wire, reused }: UpstreamConnection): void {
    this.#dyno = wire;
    const head = this.#format();
    if (this.#kept) wire.writeAll(head, this.#kept);
    else wire.write(head);
    if (!reused || !this.isRepeatable) this.#kept = undefined;
    if (!this.done && !wire.blocked) this.#client.resume();
  }

  /** The connection was lost; what comes from now on is kept for the next one. */
  unsend(): void {
    this.#dyno = undefined;
  }

  /** An answer has come: it is not sent again. */
  forget(): void {
    this.#kept = undefined;
  }

  dynoDrained(): void {
    if (!this.done) this.#client.resume();
  }

  /** A drop now and then is not enough: a dyno waits for it all the time. */
  isTooSlow(now: number): boolean {
    const { limits } = this.#router;
    const mark = this.#mark!;
    if (now - mark.at <= limits.silence) return false;
    if (this.#bytes - mark.bytes < limits.bodyBytesPerSilence) return true;
    this.#mark = { at: now, bytes: this.#bytes };
    return false;
  }

  #keep(pieces: Buffer[]): void {
    this.#kept ??= [];
    for (const piece of pieces) this.#kept.push(Buffer.from(piece));
  }

  #format(): string {
    const { head } = this;
    const isFresh = head.forwardedFor === undefined && head.via === undefined && head.minor === 1;
    const via = `${head.via ? `${head.via}, ` : ''}${this.#client.version === 2 ? '2.0' : `1.${head.minor}`} ${VIA}`;
    const forwarded = isFresh
      ? this.#client.forwarded
      : forwardedFields({ forwardedFor: this.forwardedFor, via }, this.entrance);
    return formatRequestHead(head, { forwarded, requestId: this.id, start: this.#start });
  }
}

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
