import { isIPv6 } from 'node:net';
import type { BufferPool } from './buffer-pool.ts';
import {
  close,
  type HandleOwner,
  isWaiting,
  newConnection,
  own,
  type StreamHandle,
  shutDown,
  type WriteRequest,
} from './stream-handle.ts';
import type { Address, Wire, WireUser } from './wire.ts';

/**
 * A wire right on the kernel's socket. All of them read into one buffer, and write in the same moment: what the kernel takes at once, as
 * it nearly always does, needs no memory, no callback and no later turn of the event loop.
 */
export class HandleWire implements Wire, HandleOwner {
  blocked = false;
  open = true;
  readonly #handle: StreamHandle;
  readonly #user: WireUser;
  readonly #pool: BufferPool;
  /** Writes that the kernel did not take at once. */
  #waiting = 0;
  #paused = false;
  #readEnded = false;
  #end: 'open' | 'wanted' | 'sent' | 'done' = 'open';
  /** Close when nothing waits. */
  #closeSoon = false;
  #closed = false;
  #error: Error | undefined;

  /** Takes over a connection that a server has accepted. */
  static accept(handle: StreamHandle, options: { user: WireUser; pool: BufferPool }): HandleWire {
    const wire = new HandleWire(options, handle);
    handle.readStart();
    return wire;
  }

  static connect(address: Address, options: { user: WireUser; pool: BufferPool }): HandleWire {
    return new HandleWire(options, address);
  }

  private constructor(options: { user: WireUser; pool: BufferPool }, from: StreamHandle | Address) {
    this.#user = options.user;
    this.#pool = options.pool;
    this.#handle = 'readStart' in from ? from : this.#connect(from);
    own(this.#handle, this, options.pool.shared);
  }

  get sending(): boolean {
    return this.#waiting > 0;
  }

  get peer(): string {
    const out: { address?: string } = {};
    this.#handle.getpeername?.(out);
    const { address = '' } = out;
    return address.startsWith(MAPPED) ? address.slice(MAPPED.length) : address;
  }

  write(text: string): void {
    if (text.length === 0 || this.#closed) return;
    const { request } = this.#pool;
    this.#wrote(request, this.#handle.writeLatin1String(request, text), undefined);
  }

  writeRead(bytes: Buffer, length: number): void {
    if (length <= SMALL) this.write(bytes.toString('latin1', 0, length));
    else this.writeBoth('', bytes.subarray(0, length));
  }

  writeBoth(head: string, bytes: Buffer): void {
    const length = head.length + bytes.length;
    if (length <= SMALL) {
      this.write(bytes.length === 0 ? head : head + bytes.toString('latin1', 0, bytes.length));
    } else if (length > this.#pool.size) {
      this.write(head);
      this.writeBoth('', bytes.subarray(0, this.#pool.size));
      this.writeBoth('', bytes.subarray(this.#pool.size));
    } else if (!this.#closed) {
      const buffer = this.#pool.take();
      buffer.write(head, 0, 'latin1');
      buffer.set(bytes, head.length);
      const { request } = this.#pool;
      const error = this.#handle.writeBuffer(request, buffer.subarray(0, length));
      this.#wrote(request, error, buffer);
    }
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
    if (!this.#closed) this.#handle.readStop();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.#closed && !this.#readEnded) this.#handle.readStart();
  }

  end(text?: string): void {
    if (this.#end !== 'open') return;
    if (text !== undefined) this.write(text);
    this.#end = 'wanted';
    if (this.#waiting === 0) this.#shutDown();
  }

  destroySoon(): void {
    if (this.#waiting === 0) this.destroy();
    else this.#closeSoon = true;
  }

  destroy(): void {
    this.#close({ reset: false });
  }

  reset(): void {
    this.#close({ reset: true });
  }

  #connect(address: Address): StreamHandle {
    const [handle, request] = newConnection('path' in address ? 'pipe' : 'tcp', this);
    let error: number;
    if ('path' in address) error = handle.connect(request, address.path);
    else if (isIPv6(address.host)) error = handle.connect6(request, address.host, address.port);
    else error = handle.connect(request, address.host, address.port);
    if (error === 0) handle.setNoDelay?.(true);
    else queueMicrotask(() => this.#fail(error));
    return handle;
  }

  /** After a write. `buffer`: of the pool, free again when all of it was taken. */
  #wrote(request: WriteRequest, error: number, buffer: Buffer | undefined): void {
    if (error === 0 && isWaiting(request, this, buffer)) {
      this.#pool.renewRequest();
      this.#waiting++;
      this.blocked = true;
      return;
    }
    if (buffer) this.#pool.give(buffer);
    if (error !== 0) this.#fail(error);
  }

  #drained(): void {
    this.blocked = false;
    if (this.#closeSoon) this.destroy();
    else if (this.#end === 'wanted') this.#shutDown();
    else this.#user.drained();
  }

  #shutDown(): void {
    if (this.#closed) return;
    this.#end = 'sent';
    const error = shutDown(this.#handle, this);
    if (error !== 0) this.#fail(error);
  }

  #close(options: { reset: boolean }): void {
    this.open = false;
    if (this.#closed) return;
    this.#closed = true;
    close(this.#handle, options);
  }

  #fail(error: number): void {
    if (this.#closed) return;
    this.#error = new Error(`libuv error ${error}`);
    this.destroy();
  }

  #readEnd(): void {
    this.open = false;
    this.#readEnded = true;
    this.#user.ended();
    if (this.#end === 'done') this.destroy();
  }

  // What the handle tells.

  onRead(count: number): void {
    if (count > 0) this.#user.read(this.#pool.shared, count);
    else if (count === END_OF_FILE) this.#readEnd();
    else if (count < 0) this.#fail(count);
  }

  onWritten(status: number, buffer: Buffer | undefined): void {
    if (buffer) this.#pool.give(buffer);
    this.#waiting--;
    if (this.#closed) return;
    if (status !== 0) this.#fail(status);
    else if (this.#waiting === 0) this.#drained();
  }

  onConnect(status: number): void {
    if (this.#closed) return;
    if (status !== 0) {
      this.#fail(status);
      return;
    }
    if (!this.#paused) this.#handle.readStart();
    this.#user.connected?.();
  }

  onShutdown(status: number): void {
    if (this.#closed) return;
    if (status !== 0) {
      this.#fail(status);
      return;
    }
    this.#end = 'done';
    this.#user.finished?.();
    if (this.#readEnded) this.destroy();
  }

  onClose(): void {
    this.#user.closed(this.#error);
  }
}

const NOTHING = Buffer.alloc(0);
/** What Node writes from a string without allocating (StreamBase::WriteString). */
const SMALL = 16 * 1024;
const END_OF_FILE = -4095;
const MAPPED = '::ffff:';
