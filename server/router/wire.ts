import { connect, type OnReadOpts, Socket } from 'node:net';
import type { BufferPool } from './buffer-pool.ts';
import type { ConnectionHandle } from './listener.ts';

/** Whoever a wire belongs to. */
export interface WireUser {
  /** Something was read. Whoever called it reuses `bytes`: what is to last must be copied. */
  read(bytes: Buffer, length: number): void;
  /** The other side will send nothing more. */
  ended(): void;
  /** All that was written is on its way, after a time in which the wire was blocked. */
  drained(): void;
  closed(error: Error | undefined): void;
  connected?(): void;
}

/** Where a server listens: a dyno's address, or a unix socket. */
export type Address = { host: string; port: number } | { path: string };

/**
 * A connection below HTTP. All are read into one buffer, and what is small is written as a string: neither waits for the garbage
 * collector.
 */
export class Wire {
  readonly socket: Socket;
  /** The other side does not take what was written; whoever brings more should wait for drained(). */
  blocked = false;
  /** Neither side has ended or broken it. */
  open = true;
  readonly #pool: BufferPool;
  #paused = false;
  #error: Error | undefined;

  private constructor(socket: Socket, options: { user: WireUser; pool: BufferPool }) {
    const { user, pool } = options;
    this.socket = socket;
    this.#pool = pool;
    socket.on('end', () => {
      this.open = false;
      user.ended();
    });
    socket.on('drain', () => {
      this.blocked = false;
      user.drained();
    });
    socket.on('error', (error) => {
      this.open = false;
      this.#error = error;
    });
    socket.on('close', () => {
      this.open = false;
      user.closed(this.#error);
    });
  }

  /** Takes over a connection that a server has accepted. */
  static accept(handle: ConnectionHandle, options: { user: WireUser; pool: BufferPool }): Wire {
    const onread = reader(options);
    const socket = new Socket({ handle, onread, allowHalfOpen: true, readable: true, writable: true });
    socket.setNoDelay(true);
    return new Wire(socket, options);
  }

  static connect(address: Address, options: { user: WireUser; pool: BufferPool }): Wire {
    const { user } = options;
    const socket = connect({ ...address, allowHalfOpen: true, noDelay: true, onread: reader(options) });
    socket.on('connect', () => user.connected?.());
    return new Wire(socket, options);
  }

  /** `text`: one character a byte. */
  write(text: string): void {
    if (text.length > SMALL) this.#note(this.socket.write(Buffer.from(text, 'latin1')));
    else this.#note(this.socket.write(text, 'latin1'));
  }

  /** Writes a head, if any, and bytes of a read in one system call. */
  writeBoth(head: string, bytes: Buffer): void {
    const length = head.length + bytes.length;
    if (length <= SMALL) {
      this.write(head + bytes.toString('latin1', 0, bytes.length));
      return;
    }
    if (length > this.#pool.size) {
      this.write(head);
      this.writeBoth('', bytes);
      return;
    }
    const buffer = this.#pool.take();
    buffer.write(head, 0, 'latin1');
    buffer.set(bytes, head.length);
    this.#note(this.socket.write(buffer.subarray(0, length), () => this.#pool.give(buffer)));
  }

  /** The same with bytes in several places. */
  writeAll(head: string, pieces: Buffer[]): void {
    const length = pieces.reduce((sum, piece) => sum + piece.length, head.length);
    if (length <= SMALL) {
      if (length > 0)
        this.write(pieces.reduce((text, piece) => text + piece.toString('latin1', 0, piece.length), head));
      return;
    }
    const [first = NOTHING, ...others] = pieces;
    this.writeBoth(head, first);
    for (const piece of others) this.writeBoth('', piece);
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.socket.resume();
  }

  #note(taken: boolean): void {
    if (!taken) this.blocked = true;
  }
}

function reader({ user, pool }: { user: WireUser; pool: BufferPool }): OnReadOpts {
  const { shared } = pool;
  const callback = (length: number) => {
    user.read(shared, length);
    return true;
  };
  return { buffer: shared, callback };
}

const NOTHING = Buffer.alloc(0);
/** What Node writes from a string without allocating (StreamBase::WriteString). */
const SMALL = 16 * 1024;
