import type { Socket } from 'node:net';

/** How much strangers and users may ask of us at once. */
export interface Limits {
  /** From the TCP connection to a signed sign-in. */
  loginMilliseconds: number;
  /** Failed sign-ins on one connection. */
  tries: number;
  /** How much longer each failure of an address waits for its answer than the one before, after the first few. */
  failureDelayMilliseconds: number;
  connections: number;
  connectionsPerAddress: number;
  /** Connections that have not signed in yet. */
  strangers: number;
  strangersPerAddress: number;
  channels: number;
  /** A signed-in connection without a channel. */
  idleMilliseconds: number;
  keepaliveMilliseconds: number;
}

export const DEFAULT_LIMITS: Limits = {
  loginMilliseconds: 30_000,
  tries: 6,
  failureDelayMilliseconds: 100,
  connections: 512,
  connectionsPerAddress: 128,
  strangers: 128,
  strangersPerAddress: 32,
  channels: 16,
  idleMilliseconds: 15 * 60_000,
  keepaliveMilliseconds: 30_000,
};

/** Failures of an address count for a minute. */
const FAILURE_MEMORY = 60_000;
const FREE_FAILURES = 6;
const MAX_DELAY = 3_000;

interface Guest {
  socket: Socket;
  address: string;
  stranger: boolean;
  timer: NodeJS.Timeout;
}

/**
 * Who may hold a connection. Where there are too many strangers the oldest of them gives way, not the newest: a
 * flood of idle connections then cannot keep out a client that signs in at once.
 */
export class Admission {
  #limits: Limits;
  #guests = new Map<Socket, Guest>();
  #failures = new Map<string, { count: number; forgetAt: number }>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Takes a new TCP connection in, or destroys it and returns false. */
  admit(socket: Socket): boolean {
    const address = addressGroup(socket.remoteAddress);
    this.#makeRoom(address);
    const all = [...this.#guests.values()];
    const near = all.filter((guest) => guest.address === address);
    if (all.length >= this.#limits.connections || near.length >= this.#limits.connectionsPerAddress) {
      socket.destroy();
      return false;
    }
    const timer = setTimeout(() => socket.destroy(), this.#limits.loginMilliseconds);
    this.#guests.set(socket, { socket, address, stranger: true, timer });
    socket.once('close', () => this.#forget(socket));
    return true;
  }

  signedIn(socket: Socket): void {
    const guest = this.#guests.get(socket);
    if (!guest) return;
    guest.stranger = false;
    clearTimeout(guest.timer);
  }

  /** Counts a failed sign-in. Returns for how many milliseconds its answer should wait. */
  failed(socket: Socket): number {
    const address = addressGroup(socket.remoteAddress);
    const now = Date.now();
    if (this.#failures.size > 10_000) this.#forgetFailures(now);
    const known = this.#failures.get(address);
    const count = known && known.forgetAt > now ? known.count + 1 : 1;
    this.#failures.set(address, { count, forgetAt: now + FAILURE_MEMORY });
    const delay = this.#limits.failureDelayMilliseconds * Math.max(0, count - FREE_FAILURES);
    return Math.min(MAX_DELAY, delay);
  }

  closeAll(): void {
    for (const guest of this.#guests.values()) guest.socket.destroy();
  }

  get size(): number {
    return this.#guests.size;
  }

  #makeRoom(address: string): void {
    const strangers = [...this.#guests.values()].filter((guest) => guest.stranger);
    const near = strangers.filter((guest) => guest.address === address);
    if (near.length >= this.#limits.strangersPerAddress) this.#expel(near[0]!);
    else if (strangers.length >= this.#limits.strangers) this.#expel(strangers[0]!);
  }

  #expel(guest: Guest): void {
    this.#forget(guest.socket);
    guest.socket.destroy();
  }

  #forget(socket: Socket): void {
    clearTimeout(this.#guests.get(socket)?.timer);
    this.#guests.delete(socket);
  }

  #forgetFailures(now: number): void {
    for (const [address, { forgetAt }] of this.#failures) if (forgetAt <= now) this.#failures.delete(address);
    if (this.#failures.size > 10_000) this.#failures.clear();
  }
}

/** One IPv4 address, or an IPv6 /64: what one client gets from its provider. */
export function addressGroup(address: string | undefined): string {
  if (address === undefined) return '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped) return mapped[1]!;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : 8 - front.length - back.length;
  return [...front, ...Array<string>(Math.max(0, missing)).fill('0'), ...back].slice(0, 4).join(':');
}
