import { type Dyno, pickDyno } from './app.ts';
import type { Connection } from './connection.ts';
import { HandleWire } from './handle-wire.ts';
import type { RouterContext } from './router-context.ts';
import type { StreamHandle } from './stream-handle.ts';
import type { Passthrough } from './tls-table.ts';
import type { UpstreamPool } from './upstream-pool.ts';
import type { Wire, WireUser } from './wire.ts';

/** A client's connection whose TLS an app speaks itself: bytes both ways, unread. */
export class PassthroughConnection implements Connection {
  readonly peer: string;
  readonly isTunnel = true;
  readonly isIdle = false;
  readonly #router: RouterContext;
  readonly #onClose: () => void;
  readonly #host: string;
  readonly #client: Wire;
  /** What came before there was a dyno. */
  readonly #first: Buffer;
  #dyno: Wire | undefined;
  #pool: UpstreamPool | undefined;
  readonly #tried = new Set<UpstreamPool>();
  #stopWaiting: (() => void) | undefined;
  /** When it began to wait for a dyno, or to connect. */
  #since: number;
  #lastActivity: number;
  #isConnected = false;

  /** `host`: what the client asked for; `first`: what it has sent. */
  constructor(
    handle: StreamHandle,
    options: { router: RouterContext; peer: string; host: string; first: Buffer; onClose: () => void },
  ) {
    this.#router = options.router;
    this.peer = options.peer;
    this.#onClose = options.onClose;
    this.#host = options.host;
    this.#first = options.first;
    this.#since = this.#router.clock.now;
    this.#lastActivity = this.#since;
    this.#client = HandleWire.accept(handle, { user: this.#fromClient(), pool: this.#router.buffers });
    this.#client.pause();
    this.#search();
  }

  tick(now: number): void {
    const { limits } = this.#router;
    if (this.#isConnected) {
      if (now - this.#lastActivity > limits.silence) this.destroy();
    } else if (this.#dyno) {
      if (now - this.#since > limits.connect) this.#next();
    } else if (now - this.#since > limits.booting) {
      this.destroy();
    }
  }

  leave(): void {}

  finish(): void {
    this.destroy();
  }

  destroy(): void {
    this.#client.destroy();
  }

  /** Connects to the least busy dyno, or waits for one. */
  #search(): void {
    const route = this.#router.routes.tls.passthrough(this.#host);
    if (!route) {
      this.destroy();
      return;
    }
    const { app, port } = route;
    if (app.state === 'asleep') this.#router.routes.wakes.call(app.name);
    if (app.state === 'asleep' || app.state === 'booting') {
      this.#stopWaiting = this.#router.routes.waitForChange(() => this.#search());
      return;
    }
    const isUp = app.state === 'up' && this.#admits(route);
    const dyno = isUp ? pickDyno(app, { tried: this.#tried, now: this.#router.clock.now }) : undefined;
    if (dyno) this.#connect(dyno, port);
    else this.destroy();
  }

  /** The app's list of addresses holds here, too; passwords are the app's own matter. */
  #admits({ app }: Passthrough): boolean {
    return app.rules?.isAllowed(this.peer) ?? true;
  }

  #connect({ pool }: Dyno, port: number): void {
    if (!('host' in pool.address)) return;
    this.#since = this.#router.clock.now;
    this.#pool = pool;
    pool.began();
    const user: WireUser = {
      connected: () => this.#connected(),
      read: (bytes, length) => this.#pass(bytes.subarray(0, length), wire, this.#client),
      ended: () => this.#client.end(),
      drained: () => this.#client.resume(),
      closed: () => this.#dynoClosed(wire),
    };
    const wire = HandleWire.connect({ host: pool.address.host, port }, { user, pool: this.#router.buffers });
    this.#dyno = wire;
  }

  #connected(): void {
    this.#isConnected = true;
    this.#lastActivity = this.#router.clock.now;
    this.#dyno!.writeBoth('', this.#first);
    this.#client.resume();
  }

  #dynoClosed(wire: Wire): void {
    if (wire !== this.#dyno) return;
    if (this.#isConnected) this.#client.destroySoon();
    else this.#next();
  }

  /** This dyno does not take the connection. */
  #next(): void {
    const dyno = this.#dyno!;
    this.#dyno = undefined;
    this.#tried.add(this.#pool!);
    this.#leavePool();
    dyno.destroy();
    if (this.#client.open) this.#search();
  }

  #leavePool(): void {
    this.#pool?.ended();
    this.#pool = undefined;
  }

  #fromClient(): WireUser {
    return {
      read: (bytes, length) => this.#pass(bytes.subarray(0, length), this.#client, this.#dyno!),
      ended: () => this.#dyno?.end(),
      drained: () => this.#dyno?.resume(),
      closed: () => this.#clientClosed(),
    };
  }

  #clientClosed(): void {
    this.#stopWaiting?.();
    this.#leavePool();
    const dyno = this.#dyno;
    if (this.#isConnected) dyno?.destroySoon();
    setTimeout(() => dyno?.destroy(), this.#isConnected ? this.#router.limits.linger : 0).unref();
    this.#onClose();
  }

  #pass(bytes: Buffer, from: Wire, to: Wire): void {
    this.#lastActivity = this.#router.clock.now;
    to.writeBoth('', bytes);
    if (to.blocked) from.pause();
  }
}
