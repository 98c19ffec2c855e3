import type { ClientUser } from './client.ts';
import type { ClientConnection } from './client-connection.ts';
import type { ErrorCode } from './error-page.ts';
import type { RouterContext } from './router-context.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream-connection.ts';

/** Bytes both ways between a client and a dyno, after an upgrade. */
export class Tunnel implements ClientUser, UpstreamUser {
  readonly #router: RouterContext;
  readonly #client: ClientConnection;
  readonly #connection: UpstreamConnection;
  #lastActivity: number;
  #done: ((code: ErrorCode | undefined) => void) | undefined;
  /** To the client. */
  bytes = 0;

  constructor(router: RouterContext, ends: { client: ClientConnection; connection: UpstreamConnection }) {
    this.#router = router;
    this.#client = ends.client;
    this.#connection = ends.connection;
    this.#lastActivity = router.clock.now;
  }

  /** Takes both connections over; `done` is called once, when either is closed. */
  start(
    first: { fromClient: Buffer | undefined; fromUpstream: Buffer },
    done: (code: ErrorCode | undefined) => void,
  ): void {
    this.#done = done;
    this.#client.use(this);
    this.#connection.user = this;
    if (first.fromUpstream.length > 0) this.fromUpstream(first.fromUpstream, first.fromUpstream.length);
    if (first.fromClient) this.fromClient(first.fromClient);
    this.#client.wire.resume();
    this.#connection.wire.resume();
  }

  fromClient(chunk: Buffer): void {
    this.fromClientRead(chunk, chunk.length);
  }

  /** The same with the first bytes of a read. */
  fromClientRead(bytes: Buffer, length: number): void {
    this.#lastActivity = this.#router.clock.now;
    const { wire } = this.#connection;
    wire.writeRead(bytes, length);
    if (wire.blocked) this.#client.wire.pause();
  }

  fromUpstream(bytes: Buffer, length: number): void {
    this.#lastActivity = this.#router.clock.now;
    this.bytes += length;
    const { wire } = this.#client;
    wire.writeRead(bytes, length);
    if (wire.blocked) this.#connection.wire.pause();
  }

  clientDrained(): void {
    this.#connection.wire.resume();
  }

  upstreamDrained(): void {
    this.#client.wire.resume();
  }

  clientEnded(): void {
    this.#connection.wire.end();
  }

  upstreamEnded(): void {
    this.#client.wire.end();
  }

  clientClosed(): void {
    this.#connection.user = undefined;
    const { wire } = this.#connection;
    wire.destroySoon();
    if (wire.sending) setTimeout(() => wire.destroy(), this.#router.limits.linger).unref();
    this.#end(undefined);
  }

  upstreamClosed(): void {
    this.#client.abort({ reset: false });
    this.#end(undefined);
  }

  upstreamConnected(): void {}

  tick(now: number): void {
    if (now - this.#lastActivity <= this.#router.limits.silence) return;
    this.#end('H15');
    this.#connection.destroy();
    this.#client.abort({ reset: false });
  }

  #end(code: ErrorCode | undefined): void {
    this.#done?.(code);
    this.#done = undefined;
  }
}
