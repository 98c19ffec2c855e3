import koffi from 'koffi';
import { AF, SCM_RIGHTS, SOCK, SOL_SOCKET } from './constants.ts';
import { SystemCallError, systemCall } from './system-call.ts';

/**
 * A pair of connected sockets that keep messages apart; see socketpair(2). Close-on-exec; the first does not block.
 * Each side can have thousands of small messages under way, so that neither waits for the other to read.
 */
export function socketPair(): [number, number] {
  const pair = new Int32Array(2);
  systemCall('socketpair', AF.UNIX, SOCK.SEQPACKET | SOCK.CLOEXEC, 0, asBytes(pair));
  systemCall('fcntl', pair[0]!, F_SETFL, SOCK.NONBLOCK);
  for (const socket of pair) {
    systemCall('setsockopt', socket, SOL_SOCKET, SO_SNDBUFFORCE, asBytes(new Int32Array([SEND_BUFFER])), 4);
  }
  return [pair[0]!, pair[1]!];
}

/** Sends one message, its pieces one behind the other, with descriptors; see sendmsg(2) and unix(7). */
export function sendMessage(socket: number, message: { bytes: Uint8Array[]; descriptors: number[] }): void {
  const controlSize = CONTROL_HEADER + 4 * message.descriptors.length;
  const size = message.bytes.reduce((sum, { length }) => sum + length, 0);
  const parts = new MessageMemory(size, controlSize, sending);
  let at = 0;
  for (const piece of message.bytes) {
    parts.bytes.set(piece, at);
    at += piece.length;
  }
  parts.control.writeBigUInt64LE(BigInt(controlSize), 0);
  parts.control.writeInt32LE(SOL_SOCKET, 8);
  parts.control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [index, descriptor] of message.descriptors.entries()) {
    parts.control.writeInt32LE(descriptor, CONTROL_HEADER + 4 * index);
  }
  systemCall('sendmsg', socket, parts.memory, MSG_NOSIGNAL);
}

/** One message with at most one descriptor, or undefined if none is there; see recvmsg(2). Throws at the end of the peer. */
export function receiveMessage(
  socket: number,
  size: number,
): { bytes: Buffer; descriptor: number | undefined } | undefined {
  const parts = new MessageMemory(size, CONTROL_HEADER + 4);
  const length = receive(socket, parts.memory);
  if (length === undefined) return undefined;
  if (length === 0) throw new SystemCallError(`recvmsg(${socket})`, ECONNRESET);
  const hasDescriptor = parts.controlLength >= CONTROL_HEADER + 4;
  return {
    bytes: parts.bytes.subarray(0, length),
    descriptor: hasDescriptor ? parts.control.readInt32LE(CONTROL_HEADER) : undefined,
  };
}

/** Shared by all messages that are sent, one after the other; longer ones have memory of their own. */
const sending = Buffer.alloc(160 << 10);

const CONTROL_HEADER = 16;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;
const F_SETFL = 4;
const SO_SNDBUFFORCE = 32;
const SEND_BUFFER = 16 << 20;
const ECONNRESET = 104;

function receive(socket: number, header: Uint8Array): number | undefined {
  try {
    return systemCall('recvmsg', socket, header, MSG_CMSG_CLOEXEC);
  } catch (error) {
    if (error instanceof SystemCallError && error.code === 'EAGAIN') return undefined;
    throw error;
  }
}

/**
 * `struct msghdr` and all that it points to, in one piece of memory: what nobody but the kernel refers to could be
 * collected before the call.
 *
 *   header (56) │ struct iovec (16) │ control │ bytes
 */
class MessageMemory {
  readonly memory: Buffer;
  readonly control: Buffer;
  readonly bytes: Buffer;

  constructor(size: number, controlSize: number, shared?: Buffer) {
    const CONTROL = HEADER_SIZE + VECTOR_SIZE;
    const bytesAt = CONTROL + align(controlSize);
    const fits = shared && bytesAt + size <= shared.length;
    this.memory = fits ? shared.fill(0, 0, bytesAt) : Buffer.alloc(bytesAt + size);
    this.control = this.memory.subarray(CONTROL, bytesAt);
    this.bytes = this.memory.subarray(bytesAt);
    const address = koffi.address(this.memory);
    this.memory.writeBigUInt64LE(address + BigInt(HEADER_SIZE), 16);
    this.memory.writeBigUInt64LE(1n, 24);
    this.memory.writeBigUInt64LE(address + BigInt(CONTROL), 32);
    this.memory.writeBigUInt64LE(BigInt(align(controlSize)), CONTROL_LENGTH);
    this.memory.writeBigUInt64LE(address + BigInt(bytesAt), HEADER_SIZE);
    this.memory.writeBigUInt64LE(BigInt(size), HEADER_SIZE + 8);
  }

  /** How much control data the kernel gave. */
  get controlLength(): number {
    return Number(this.memory.readBigUInt64LE(CONTROL_LENGTH));
  }
}

const HEADER_SIZE = 56;
const VECTOR_SIZE = 16;
/** Of `msg_controllen` in the header. */
const CONTROL_LENGTH = 40;

function asBytes(array: Int32Array): Uint8Array {
  return new Uint8Array(array.buffer);
}

function align(size: number): number {
  return (size + 7) & ~7;
}
