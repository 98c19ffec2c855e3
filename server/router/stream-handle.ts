import type { SecureContext } from 'node:tls';

/**
 * Node's sockets without node:net: what a connection costs there (streams, timers, a callback for every write) is several times what the
 * system calls cost. `process.binding` is how Node has these classes in public; they have not changed in years, and the version of Node is
 * pinned. https://nodejs.org/api/deprecations.html#dep0111-processbinding
 */
const { binding } = process as unknown as { binding: (name: string) => unknown };

/** A connection, TCP or a unix socket. Functions that return a number return 0, or a negative errno of libuv's. */
export interface StreamHandle {
  /** Called when something was read. */
  onread: (this: StreamHandle) => void;
  owner: HandleOwner;
  /** Bytes that the kernel did not take yet. */
  readonly writeQueueSize: number;
  readStart(): number;
  readStop(): number;
  /** What is read from now on comes into these bytes. */
  useUserBuffer(bytes: Buffer): void;
  /** One character a byte. All or the rest of it is written later if isWaiting() says so; `request` is in use only then. */
  writeLatin1String(request: WriteRequest, text: string): number;
  /** The same; the bytes must stay as they are until then. */
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  shutdown(request: ShutdownRequest): number;
  connect(request: ConnectRequest, host: string, port?: number): number;
  connect6(request: ConnectRequest, host: string, port: number): number;
  close(done?: (this: StreamHandle) => void): void;
  // Of TCP alone:
  reset?(done: (this: StreamHandle) => void): number;
  setNoDelay?(on: boolean): number;
  getpeername?(out: { address: string }): number;
}

/** TLS on a connection. Closing that is what closes it; what it needs of memory is free after destroySSL(). */
export interface SecureHandle extends StreamHandle {
  /** Called by OpenSSL in the middle of its work: nothing may be written then. */
  onhandshakedone: () => void;
  onerror: (error: Error) => void;
  setALPNProtocols(list: Buffer): void;
  getALPNNegotiatedProtocol(): string | false;
  /** As if it had been read from the connection. */
  receive(bytes: Buffer): void;
  destroySSL(): void;
}

interface Request {
  oncomplete: (this: this, status: number) => void;
  owner: HandleOwner;
}
export type ShutdownRequest = Request;
export type ConnectRequest = Request;
export interface WriteRequest extends Request {
  /** Lent by a pool for the time of the write. */
  buffer: Buffer | undefined;
}

/** Whom a handle tells what became of it; a status is 0 or a negative errno. */
export interface HandleOwner {
  /** Bytes that came into the buffer, or a negative errno. */
  onRead(count: number): void;
  onWritten(status: number, buffer: Buffer | undefined): void;
  onConnect(status: number): void;
  onShutdown(status: number): void;
  onClose(): void;
}

interface StreamBinding {
  WriteWrap: new () => WriteRequest;
  ShutdownWrap: new () => ShutdownRequest;
  streamBaseState: Int32Array;
  kReadBytesOrError: number;
  kLastWriteWasAsync: number;
}
interface TcpBinding {
  TCP: new (type: number) => StreamHandle;
  TCPConnectWrap: new () => ConnectRequest;
  constants: { SOCKET: number };
}
interface PipeBinding {
  Pipe: new (type: number) => StreamHandle;
  PipeConnectWrap: new () => ConnectRequest;
  constants: { SOCKET: number };
}

interface TlsBinding {
  wrap: (handle: StreamHandle, context: unknown, isServer: boolean, hasWrites: boolean) => SecureHandle;
}

const stream = binding('stream_wrap') as StreamBinding;
const tcp = binding('tcp_wrap') as TcpBinding;
const pipe = binding('pipe_wrap') as PipeBinding;
let tls: TlsBinding | undefined;
const { streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = stream;

export const { WriteWrap } = stream;

/** A new connection's handle, and the request to connect it by. */
export function newConnection(kind: 'tcp' | 'pipe', owner: HandleOwner): [StreamHandle, ConnectRequest] {
  const handle = kind === 'tcp' ? new tcp.TCP(tcp.constants.SOCKET) : new pipe.Pipe(pipe.constants.SOCKET);
  const request = kind === 'tcp' ? new tcp.TCPConnectWrap() : new pipe.PipeConnectWrap();
  request.owner = owner;
  request.oncomplete = onConnect;
  return [handle, request];
}

/** The other side's IP address, one of IPv4 as such; '' of a unix socket. */
export function peerAddress(handle: StreamHandle): string {
  if (handle.getpeername?.(peerName) !== 0) return '';
  const { address } = peerName;
  return address.startsWith(MAPPED) ? address.slice(MAPPED.length) : address;
}

/** Has a handle tell its owner what it reads; all of it comes into `buffer`. */
export function own(handle: StreamHandle, owner: HandleOwner, buffer: Buffer): void {
  handle.owner = owner;
  handle.onread = onRead;
  handle.useUserBuffer(buffer);
}

/** Calls back with what a handle reads, which comes into `buffer`: all of it is another's when the call is over. undefined: the end, or an error. */
export function readEach(
  handle: StreamHandle,
  buffer: Buffer,
  onRead: (bytes: Buffer | undefined) => void,
): void {
  handle.onread = () => {
    const count = streamBaseState[kReadBytesOrError]!;
    if (count !== 0) onRead(count > 0 ? buffer.subarray(0, count) : undefined);
  };
  handle.useUserBuffer(buffer);
  handle.readStart();
}

/** TLS on a connection, as its server. */
export function secure(handle: StreamHandle, { context }: SecureContext): SecureHandle {
  // Loaded when it is needed: OpenSSL costs memory.
  tls ??= binding('tls_wrap') as TlsBinding;
  return tls.wrap(handle, context, true, false);
}

/** Right after a write that returned 0: whether the kernel did not take all of it. Its request's owner is told when it has. */
export function isWaiting(request: WriteRequest, owner: HandleOwner, buffer: Buffer | undefined): boolean {
  if (streamBaseState[kLastWriteWasAsync] === 0) return false;
  request.owner = owner;
  request.buffer = buffer;
  request.oncomplete = onWritten;
  return true;
}

/** Ends the writing side behind what was written, and tells its owner, if any, when that is done. Returns 0 or a negative errno. */
export function shutDown(handle: StreamHandle, owner?: HandleOwner): number {
  const request = new stream.ShutdownWrap();
  if (owner) {
    request.owner = owner;
    request.oncomplete = onShutdown;
  }
  return handle.shutdown(request);
}

/** Closes at once; `reset`: with a reset, where that can be (uv_tcp_close_reset). Returns whether its owner will be told by onClose(). */
export function close(handle: StreamHandle, options: { reset: boolean }): boolean {
  if (options.reset && handle.reset?.(onClose) === 0) return true;
  handle.close();
  return false;
}

function onRead(this: StreamHandle): void {
  this.owner.onRead(streamBaseState[kReadBytesOrError]!);
}

function onWritten(this: WriteRequest, status: number): void {
  this.owner.onWritten(status, this.buffer);
}

function onConnect(this: ConnectRequest, status: number): void {
  this.owner.onConnect(status);
}

function onShutdown(this: ShutdownRequest, status: number): void {
  this.owner.onShutdown(status);
}

function onClose(this: StreamHandle): void {
  this.owner.onClose();
}

const MAPPED = '::ffff:';
/** Filled by getpeername(): an object that has these properties takes them in a tenth of the time that a new one does. */
const peerName = { address: '', family: '', port: 0 };
