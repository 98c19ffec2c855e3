import type { SecureContext } from 'node:tls';
import type { BufferPool } from './buffer-pool.ts';
import { isWaiting, own, type SecureHandle, type StreamHandle, secure, WriteWrap } from './stream-handle.ts';
import { StreamWire } from './stream-wire.ts';
import type { WireUser } from './wire.ts';

/**
 * The server's side of TLS right on OpenSSL as Node has it, without the streams of node:tls: they take half as long again for a
 * handshake, and several kilobytes a connection.
 */
export class SecureWire extends StreamWire {
  protected readonly socket: StreamHandle;
  protected readonly stream: SecureHandle;
  #isSending = false;
  /** What was written meanwhile: there is one write at a time (TLSWrap::DoWrite). */
  readonly #queue: (string | Buffer)[] = [];

  /** Takes over a connection, and calls `secured` when hands are shaken. `protocols`: for ALPN, as that writes them (RFC 7301, 3.1). */
  constructor(
    socket: StreamHandle,
    options: {
      user: WireUser;
      pool: BufferPool;
      context: SecureContext;
      protocols: Buffer;
      secured: () => void;
    },
  ) {
    super(options);
    this.socket = socket;
    this.stream = secure(socket, options.context);
    this.stream.setALPNProtocols(options.protocols);
    this.stream.onhandshakedone = options.secured;
    this.stream.onerror = () => this.fail();
    own(this.stream, this, this.pool.shared);
    socket.owner = this;
  }

  /** `hello`: what the client has sent so far. */
  start(hello: Buffer): void {
    this.stream.readStart();
    this.stream.receive(hello);
  }

  protected get waits(): boolean {
    return this.#isSending;
  }

  /** From now on it is this user's. */
  use(user: WireUser): this {
    this.user = user;
    return this;
  }

  protected writeText(text: string): void {
    if (this.#isSending) this.#wait(text);
    else this.#send(text);
  }

  protected writeOwn(buffer: Buffer, length: number): void {
    const both = buffer.subarray(0, length);
    if (this.#isSending) this.#wait(Buffer.from(both));
    else this.#send(both);
    // OpenSSL has encrypted it by now.
    this.pool.give(buffer);
  }

  override onRead(count: number): void {
    // Of what was read at once there may be more after the connection was closed.
    if (!this.closed) super.onRead(count);
  }

  onWritten(status: number): void {
    this.#isSending = false;
    if (this.closed) return;
    if (status !== 0) {
      this.fail();
      return;
    }
    const next = this.#queue.shift();
    if (next !== undefined) this.#send(next);
    else this.drained();
  }

  override onClose(): void {
    this.stream.destroySSL();
    super.onClose();
  }

  #wait(what: string | Buffer): void {
    this.#queue.push(what);
    this.blocked = true;
  }

  #send(what: string | Buffer): void {
    const request = new WriteWrap();
    const { stream } = this;
    const error =
      typeof what === 'string' ? stream.writeLatin1String(request, what) : stream.writeBuffer(request, what);
    if (error !== 0) {
      this.fail();
      return;
    }
    // It tells always, even when the kernel has taken all of it.
    this.#isSending = isWaiting(request, this, undefined);
    if (this.socket.writeQueueSize > 0) this.blocked = true;
  }
}
