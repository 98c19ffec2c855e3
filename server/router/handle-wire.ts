import { isIPv6 } from 'node:net';
import type { BufferPool } from './buffer-pool.ts';
import { isWaiting, newConnection, own, type StreamHandle, type WriteRequest } from './stream-handle.ts';
import { StreamWire } from './stream-wire.ts';
import type { Address, WireUser } from './wire.ts';

/** A wire right on the kernel's socket. What the kernel takes at once, as it nearly always does, needs no memory and no callback. */
export class HandleWire extends StreamWire {
  protected readonly socket: StreamHandle;
  /** Writes that the kernel did not take at once. */
  #waiting = 0;

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
    super(options);
    this.socket = 'readStart' in from ? from : this.#connect(from);
    own(this.socket, this, options.pool.shared);
  }

  protected get waits(): boolean {
    return this.#waiting > 0;
  }

  protected get stream(): StreamHandle {
    return this.socket;
  }

  protected writeText(text: string): void {
    const { request } = this.pool;
    this.#wrote(request, this.socket.writeLatin1String(request, text), undefined);
  }

  protected writeOwn(buffer: Buffer, length: number): void {
    const { request } = this.pool;
    const error = this.socket.writeBuffer(request, buffer.subarray(0, length));
    this.#wrote(request, error, buffer);
  }

  onWritten(status: number, buffer: Buffer | undefined): void {
    if (buffer) this.pool.give(buffer);
    this.#waiting--;
    if (this.closed) return;
    if (status !== 0) this.fail();
    else if (this.#waiting === 0) this.drained();
  }

  #connect(address: Address): StreamHandle {
    const [handle, request] = newConnection('path' in address ? 'pipe' : 'tcp', this);
    let error: number;
    if ('path' in address) error = handle.connect(request, address.path);
    else if (isIPv6(address.host)) error = handle.connect6(request, address.host, address.port);
    else error = handle.connect(request, address.host, address.port);
    if (error === 0) handle.setNoDelay?.(true);
    else queueMicrotask(() => this.fail());
    return handle;
  }

  /** After a write. `buffer`: of the pool, free again when all of it was taken. */
  #wrote(request: WriteRequest, error: number, buffer: Buffer | undefined): void {
    if (error === 0 && isWaiting(request, this, buffer)) {
      this.pool.renewRequest();
      this.#waiting++;
      this.blocked = true;
      return;
    }
    if (buffer) this.pool.give(buffer);
    if (error !== 0) this.fail();
  }
}
