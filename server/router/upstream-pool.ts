import type { BufferPool } from './buffer-pool.ts';
import { DynoHealth } from './dyno-health.ts';
import { UpstreamConnection, type UpstreamUser } from './upstream-connection.ts';
import type { Address } from './wire.ts';

/** The connections to one server, and how many requests it is busy with. */
export class UpstreamPool {
  readonly address: Address;
  /** Requests and tunnels. */
  inFlight = 0;
  /** No longer in the route table: its connections are closed as they become idle. */
  retired = false;
  readonly health = new DynoHealth();
  readonly #maxIdle: number;
  /** The one used last is at the end, and is used first. */
  readonly #idle: UpstreamConnection[] = [];
  readonly #whenQuiet: (() => void)[] = [];

  constructor(address: Address, options: { maxIdle: number }) {
    this.address = address;
    this.#maxIdle = options.maxIdle;
  }

  /** An idle connection that was used within `maxAge` milliseconds, if there is one. */
  take(user: UpstreamUser, options: { now: number; maxAge: number }): UpstreamConnection | undefined {
    for (;;) {
      const connection = this.#idle.at(-1);
      if (!connection || connection.idleSince + options.maxAge < options.now) return undefined;
      this.#idle.pop();
      if (connection.expires > options.now && connection.wire.open) {
        connection.user = user;
        connection.reused = true;
        return connection;
      }
      connection.destroy();
    }
  }

  /** Opens a connection; the user is told when it stands, or closes. */
  connect(user: UpstreamUser, buffers: BufferPool): UpstreamConnection {
    return new UpstreamConnection(this.address, { user, buffers });
  }

  /** Takes back a connection that may carry another request within `idle` milliseconds. */
  release(connection: UpstreamConnection, options: { now: number; idle: number }): void {
    connection.user = undefined;
    if (this.retired || options.idle <= 0 || this.#idle.length >= this.#maxIdle || !connection.isOpen) {
      connection.destroy();
      return;
    }
    connection.wire.resume();
    connection.idleSince = options.now;
    connection.expires = options.now + options.idle;
    this.#idle.push(connection);
  }

  began(): void {
    this.inFlight++;
  }

  ended(): void {
    if (--this.inFlight === 0) for (const done of this.#whenQuiet.splice(0)) done();
  }

  /** Calls back when no request is in flight. */
  onceQuiet(done: () => void): void {
    if (this.inFlight === 0) done();
    else this.#whenQuiet.push(done);
  }

  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  /** Closes what was idle for too long. */
  sweep(now: number): void {
    for (let i = this.#idle.length - 1; i >= 0; i--) {
      const connection = this.#idle[i]!;
      if (connection.expires > now && connection.isOpen) continue;
      this.#idle.splice(i, 1);
      connection.destroy();
    }
  }
}
