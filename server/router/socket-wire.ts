import type { Socket } from 'node:net';
import type { BufferPool } from './buffer-pool.ts';
import type { Wire, WireUser } from './wire.ts';

/** A wire on one of Node's own sockets: what TLS is spoken on. */
export class SocketWire implements Wire {
  blocked = false;
  open = true;
  readonly peer: string;
  readonly #socket: Socket;
  /** The same, or below TLS. */
  readonly #raw: Socket;
  readonly #pool: BufferPool;
  #paused = false;
  #error: Error | undefined;

  /** Takes it over; `raw` is the one below, where TLS is spoken. */
  constructor(
    socket: Socket,
    { user, pool, raw = socket }: { user: WireUser; pool: BufferPool; raw?: Socket },
  ) {
    this.#socket = socket;
    this.#raw = raw;
    this.#pool = pool;
    this.peer = peerOf(raw);
    socket.on('data', (bytes: Buffer) => user.read(bytes, bytes.length));
    socket.on('end', () => {
      this.open = false;
      user.ended();
    });
    socket.on('drain', () => {
      this.blocked = false;
      user.drained();
    });
    socket.on('finish', () => user.finished?.());
    socket.on('error', (error) => {
      this.open = false;
      this.#error = error;
    });
    socket.on('close', () => {
      this.open = false;
      user.closed(this.#error);
    });
  }

  get sending(): boolean {
    return this.#socket.writableLength > 0;
  }

  write(text: string): void {
    if (text.length > 0) this.#note(this.#socket.write(text, 'latin1'));
  }

  writeRead(bytes: Buffer, length: number): void {
    this.writeAll('', [bytes.subarray(0, length)]);
  }

  writeBoth(head: string, bytes: Buffer): void {
    this.writeAll(head, [bytes]);
  }

  /** As one, so that it becomes as few records of TLS as can be. */
  writeAll(head: string, pieces: Buffer[]): void {
    const length = pieces.reduce((sum, piece) => sum + piece.length, head.length);
    if (length <= SMALL) {
      this.write(pieces.reduce((text, piece) => text + piece.toString('latin1', 0, piece.length), head));
    } else if (length <= this.#pool.size) {
      this.#writePooled(head, pieces);
    } else {
      this.write(head);
      for (const piece of pieces) {
        for (let at = 0; at < piece.length; at += this.#pool.size) {
          this.#writePooled('', [piece.subarray(at, at + this.#pool.size)]);
        }
      }
    }
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  end(text?: string): void {
    if (text === undefined) this.#socket.end();
    else this.#socket.end(text, 'latin1');
  }

  destroySoon(): void {
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  reset(): void {
    this.#raw.resetAndDestroy();
  }

  /** `pieces` last no longer than this call. */
  #writePooled(head: string, pieces: Buffer[]): void {
    const buffer = this.#pool.take();
    let at = buffer.write(head, 'latin1');
    for (const piece of pieces) at += piece.copy(buffer, at);
    this.#note(this.#socket.write(buffer.subarray(0, at), () => this.#pool.give(buffer)));
  }

  #note(taken: boolean): void {
    if (!taken) this.blocked = true;
  }
}

/** The address that a socket's other side has; an IPv4 one as such. */
export function peerOf(socket: Socket): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}

const SMALL = 16 * 1024;
