import { connect, type Socket } from 'node:net';

/** Whoever a connection to a dyno works for at the moment: an exchange, or a tunnel. */
export interface UpstreamUser {
  upstreamConnected(connection: UpstreamConnection): void;
  fromUpstream(chunk: Buffer): void;
  /** The dyno will send nothing more. */
  upstreamEnded(): void;
  upstreamClosed(error: Error | undefined): void;
  upstreamDrained(): void;
}

/** One connection to a dyno. */
export class UpstreamConnection {
  readonly socket: Socket;
  /** It has carried a request before. */
  reused = false;
  user: UpstreamUser | undefined;
  /** While idle: when it is closed. */
  expires = 0;
  idleSince = 0;
  #error: Error | undefined;

  constructor(socket: Socket, user: UpstreamUser) {
    this.socket = socket;
    this.user = user;
    socket.on('connect', () => this.user?.upstreamConnected(this));
    socket.on('data', (chunk: Buffer) => {
      // An idle dyno has nothing to say: what it sends now would be taken for the answer to somebody's next request.
      if (this.user) this.user.fromUpstream(chunk);
      else socket.destroy();
    });
    socket.on('end', () => {
      if (this.user) this.user.upstreamEnded();
      else socket.destroy();
    });
    socket.on('drain', () => this.user?.upstreamDrained());
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => {
      const user = this.user;
      this.user = undefined;
      user?.upstreamClosed(this.#error);
    });
  }

  /** Closes it; its user hears nothing more of it. */
  destroy(): void {
    this.user = undefined;
    this.socket.destroy();
  }
}

/** Where a server listens: a dyno's address, or a unix socket. */
export type Address = { host: string; port: number } | { path: string };

/** The connections to one server, and how many requests it is busy with. */
export class UpstreamPool {
  readonly address: Address;
  /** Requests and tunnels. */
  inFlight = 0;
  /** No longer in the route table: its connections are closed as they become idle. */
  retired = false;
  /** It refused a connection; until then (performance.now()) others are preferred. */
  avoidUntil = 0;
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
      if (connection.expires > options.now && isOpen(connection.socket)) {
        connection.user = user;
        connection.reused = true;
        return connection;
      }
      connection.destroy();
    }
  }

  /** Opens a connection; the user is told when it stands, or closes. */
  connect(user: UpstreamUser): UpstreamConnection {
    return new UpstreamConnection(connect({ ...this.address, allowHalfOpen: true, noDelay: true }), user);
  }

  /** Takes back a connection that may carry another request within `idle` milliseconds. */
  release(connection: UpstreamConnection, options: { now: number; idle: number }): void {
    connection.user = undefined;
    if (
      this.retired ||
      options.idle <= 0 ||
      this.#idle.length >= this.#maxIdle ||
      !isOpen(connection.socket)
    ) {
      connection.destroy();
      return;
    }
    if (connection.socket.isPaused()) connection.socket.resume();
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
      if (connection.expires > now && isOpen(connection.socket)) continue;
      this.#idle.splice(i, 1);
      connection.destroy();
    }
  }
}

function isOpen(socket: Socket): boolean {
  return socket.readable && socket.writable && socket.writableLength === 0;
}
