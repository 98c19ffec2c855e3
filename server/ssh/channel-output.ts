import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { ServerChannel } from 'ssh2';
import { forgetHeldBack } from './ssh2-guards.ts';

/** Bytes that may wait in the TCP connection before we take no more. */
const SOCKET_BACKLOG = 1024 * 1024;
/** An SSH window can be large: smaller pieces let stdout and stderr take turns. */
const PIECE = 64 * 1024;

interface Piece {
  target: Writable;
  data: Buffer;
  done: () => void;
}

/**
 * The way to a client's stdout and stderr. One write at a time for both, since ssh2 loses track of two that wait for the
 * window; none while the TCP connection is full, which ssh2 does not look at; and once the client has gone everything
 * is swallowed, so that whoever writes comes to an end instead of waiting for ever.
 */
export class ChannelOutput {
  readonly stdout: Writable;
  readonly stderr: Writable;
  #channel: ServerChannel;
  #socket: Socket;
  #queue: Piece[] = [];
  #current: Piece | undefined;
  #closed = false;

  constructor(channel: ServerChannel, socket: Socket) {
    this.#channel = channel;
    this.#socket = socket;
    this.stdout = this.#writable(channel);
    this.stderr = this.#writable(channel.stderr);
  }

  /** Resolves when all of both has gone out, or the client has. No writes after it. */
  async flush(): Promise<void> {
    this.stdout.end();
    this.stderr.end();
    await Promise.allSettled([finished(this.stdout), finished(this.stderr)]);
  }

  /** The client has gone. */
  close(): void {
    this.#closed = true;
    const waiting = [...(this.#current ? [this.#current] : []), ...this.#queue];
    this.#current = undefined;
    this.#queue = [];
    for (const piece of waiting) piece.done();
  }

  #writable(target: Writable): Writable {
    return new Writable({
      highWaterMark: PIECE,
      decodeStrings: true,
      write: (data: Buffer, _encoding, done) => {
        for (let start = 0; start < data.length; start += PIECE) {
          const last = start + PIECE >= data.length;
          this.#queue.push({
            target,
            data: data.subarray(start, start + PIECE),
            done: last ? done : () => {},
          });
        }
        if (data.length === 0) done();
        this.#send();
      },
    });
  }

  #send(): void {
    if (this.#closed) this.close();
    if (this.#current || this.#queue.length === 0) return;
    const piece = this.#queue.shift()!;
    this.#current = piece;
    if (this.#socket.writableLength > SOCKET_BACKLOG && !this.#socket.destroyed) {
      this.#socket.once('drain', () => this.#write(piece));
    } else {
      this.#write(piece);
    }
  }

  #write(piece: Piece): void {
    if (this.#current !== piece) return;
    piece.target.write(piece.data, () => {
      if (this.#current !== piece) return;
      forgetHeldBack(this.#channel);
      this.#current = undefined;
      piece.done();
      this.#send();
    });
  }
}
