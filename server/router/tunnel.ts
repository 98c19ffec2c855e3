import type { ClientConnection, ClientUser, RouterContext } from './client-connection.ts';
import type { ErrorCode } from './error-page.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream-pool.ts';

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
    if (first.fromUpstream.length > 0) this.fromUpstream(first.fromUpstream);
    if (first.fromClient) this.fromClient(first.fromClient);
    this.#client.socket.resume();
    this.#connection.socket.resume();
  }

  fromClient(chunk: Buffer): void {
    this.#lastActivity = this.#router.clock.now;
    if (!this.#connection.socket.write(chunk)) this.#client.socket.pause();
  }

  fromUpstream(chunk: Buffer): void {
    this.#lastActivity = this.#router.clock.now;
    this.bytes += chunk.length;
    if (!this.#client.socket.write(chunk)) this.#connection.socket.pause();
  }

  clientDrained(): void {
    this.#connection.socket.resume();
  }

  upstreamDrained(): void {
    this.#client.socket.resume();
  }

  clientEnded(): void {
    this.#connection.socket.end();
  }

  upstreamEnded(): void {
    this.#client.socket.end();
  }

  clientClosed(): void {
    this.#connection.user = undefined;
    const { socket } = this.#connection;
    socket.destroySoon();
    setTimeout(() => socket.destroy(), this.#router.limits.linger).unref();
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
