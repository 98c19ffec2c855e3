import type { BufferPool } from './buffer-pool.ts';
import { close, type HandleOwner, type StreamHandle, shutDown } from './stream-handle.ts';
import type { Closed, LateWriter } from './turn-end.ts';
import type { Wire, WireUser } from './wire.ts';

/**
 * A wire right on libuv's handles: what does not depend on how bytes are written. All of them read into one buffer, and send what is small
 * at the end of the event loop's turn.
 */
export abstract class StreamWire implements Wire, HandleOwner, LateWriter, Closed {
  blocked = false;
  open = true;
  protected user: WireUser;
  protected readonly pool: BufferPool;
  protected closed = false;
  /** What was written in this turn. */
  #late = '';
  #paused = false;
  #readEnded = false;
  #end: 'open' | 'wanted' | 'sent' | 'done' = 'open';
  /** What is done when nothing waits. */
  #closing: 'no' | 'destroy' | 'close' = 'no';
  #broken = false;

  constructor({ user, pool }: { user: WireUser; pool: BufferPool }) {
    this.user = user;
    this.pool = pool;
  }

  /** The kernel did not take all of what was sent yet. */
  protected abstract readonly waits: boolean;
  /** The kernel's connection. */
  protected abstract readonly socket: StreamHandle;
  /** What is read and written: that, or TLS on it. */
  protected abstract readonly stream: StreamHandle;

  get sending(): boolean {
    return this.#late !== '' || this.waits;
  }

  protected abstract writeText(text: string): void;
  /** Writes the first `length` bytes of a buffer of the pool, and gives it back when it is free again. */
  protected abstract writeOwn(buffer: Buffer, length: number): void;
  abstract onWritten(status: number, buffer: Buffer | undefined): void;

  write(text: string): void {
    if (text.length === 0 || this.closed) return;
    if (this.#late.length + text.length > SMALL) this.sendLate();
    const isFirst = this.#late === '';
    this.#late += text;
    if (isFirst) this.pool.turn.send(this);
  }

  sendLate(): void {
    const text = this.#late;
    if (text === '' || this.closed) return;
    this.#late = '';
    this.writeText(text);
    if (!this.sending) this.#followUp();
  }

  /** As one write, and as few records of TLS as can be. */
  writeBoth(head: string, bytes: Buffer): void {
    const length = head.length + bytes.length;
    if (length <= SMALL) {
      this.write(bytes.length === 0 ? head : head + bytes.toString('latin1', 0, bytes.length));
    } else if (length > this.pool.size) {
      this.write(head);
      this.writeBoth('', bytes.subarray(0, this.pool.size));
      this.writeBoth('', bytes.subarray(this.pool.size));
    } else {
      this.sendLate();
      if (this.closed) return;
      const buffer = this.pool.take();
      buffer.write(head, 0, 'latin1');
      buffer.set(bytes, head.length);
      this.writeOwn(buffer, length);
    }
  }

  writeRead(bytes: Buffer, length: number): void {
    if (length <= SMALL) this.write(bytes.toString('latin1', 0, length));
    else this.writeBoth('', bytes.subarray(0, length));
  }

  writeAll(head: string, pieces: Buffer[]): void {
    let length = head.length;
    for (const piece of pieces) length += piece.length;
    if (length <= SMALL) {
      let text = head;
      for (const piece of pieces) text += piece.toString('latin1', 0, piece.length);
      this.write(text);
      return;
    }
    const [first = NOTHING, ...others] = pieces;
    this.writeBoth(head, first);
    for (const piece of others) this.writeBoth('', piece);
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    if (!this.closed) this.stream.readStop();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.closed && !this.#readEnded) this.stream.readStart();
  }

  end(text?: string): void {
    if (this.#end !== 'open') return;
    if (text !== undefined) this.write(text);
    this.#end = 'wanted';
    if (!this.sending) this.#shutDown();
  }

  destroySoon(): void {
    this.#closing = 'destroy';
    if (!this.sending) this.destroy();
  }

  closeSoon(): void {
    this.#closing = 'close';
    if (!this.sending) this.#closeWell();
  }

  destroy(): void {
    this.#close({ reset: false });
  }

  reset(): void {
    this.#close({ reset: true });
  }

  /** Nothing waits any more. */
  protected drained(): void {
    this.sendLate();
    if (this.sending || this.closed) return;
    this.blocked = false;
    if (!this.#followUp()) this.user.drained();
  }

  /** It cannot be used any more. Why is of no interest to anybody, and an Error of it would cost as much as a system call. */
  protected fail(): void {
    if (this.closed) return;
    this.#broken = true;
    this.destroy();
  }

  /** Does what was to be done when all is sent; false: nothing was. */
  #followUp(): boolean {
    if (this.#closing === 'destroy') this.destroy();
    else if (this.#closing === 'close') this.#closeWell();
    else if (this.#end === 'wanted') this.#shutDown();
    else return false;
    return true;
  }

  #shutDown(): void {
    if (this.closed) return;
    this.#end = 'sent';
    const error = shutDown(this.stream, this);
    if (error !== 0) this.fail();
  }

  /** TLS has an end of its own; nobody waits for the other side to answer it (RFC 8446, 6.1). */
  #closeWell(): void {
    if (this.closed) return;
    if (this.stream !== this.socket) {
      this.#end = 'done';
      shutDown(this.stream);
      // Whoever reads that slowly closes the connection when it has read it.
      if (this.socket.writeQueueSize > 0) return;
    }
    this.destroy();
  }

  #close(options: { reset: boolean }): void {
    this.open = false;
    if (!options.reset) this.sendLate();
    if (this.closed) return;
    this.closed = true;
    // A reset tells by itself.
    if (!close(this.socket, options)) this.pool.turn.tell(this);
  }

  #readEnd(): void {
    this.open = false;
    this.#readEnded = true;
    this.user.ended();
    if (this.#end === 'done') this.destroy();
  }

  // What the handle tells.

  onRead(count: number): void {
    this.pool.turn.noteRead();
    if (count > 0) this.user.read(this.pool.shared, count);
    else if (count === END_OF_FILE) this.#readEnd();
    else if (count < 0) this.fail();
  }

  onConnect(status: number): void {
    if (this.closed) return;
    if (status !== 0) {
      this.fail();
      return;
    }
    if (!this.#paused) this.stream.readStart();
    this.user.connected?.();
  }

  onShutdown(status: number): void {
    if (this.closed) return;
    if (status !== 0) {
      this.fail();
      return;
    }
    this.#end = 'done';
    this.user.finished?.();
    if (this.#readEnded) this.destroy();
  }

  onClose(): void {
    this.user.closed(this.#broken);
  }
}

const NOTHING = Buffer.alloc(0);
/** What Node writes from a string without allocating (StreamBase::WriteString). */
const SMALL = 16 * 1024;
const END_OF_FILE = -4095;
