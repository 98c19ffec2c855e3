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

/** Sends one message with descriptors; see sendmsg(2) and unix(7). */
export function sendMessage(socket: number, message: { bytes: Uint8Array; descriptors: number[] }): void {
  const control = Buffer.alloc(align(CONTROL_HEADER + 4 * message.descriptors.length));
  control.writeBigUInt64LE(BigInt(CONTROL_HEADER + 4 * message.descriptors.length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [index, descriptor] of message.descriptors.entries()) {
    control.writeInt32LE(descriptor, CONTROL_HEADER + 4 * index);
  }
  const header = messageHeader(message.bytes, control);
  systemCall('sendmsg', socket, header.bytes, MSG_NOSIGNAL);
}

/** One message with at most one descriptor, or undefined if none is there; see recvmsg(2). Throws at the end of the peer. */
export function receiveMessage(
  socket: number,
  size: number,
): { bytes: Buffer; descriptor: number | undefined } | undefined {
  const bytes = Buffer.alloc(size);
  const control = Buffer.alloc(CONTROL_HEADER + 8);
  const header = messageHeader(bytes, control);
  const length = receive(socket, header.bytes);
  if (length === undefined) return undefined;
  if (length === 0) throw new SystemCallError(`recvmsg(${socket})`, ECONNRESET);
  const hasDescriptor = header.bytes.readBigUInt64LE(40) >= CONTROL_HEADER + 4;
  return {
    bytes: bytes.subarray(0, length),
    descriptor: hasDescriptor ? control.readInt32LE(CONTROL_HEADER) : undefined,
  };
}

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

/** `struct msghdr`; the result keeps alive what it points to. */
function messageHeader(bytes: Uint8Array, control: Uint8Array): { bytes: Buffer; keep: unknown[] } {
  const vector = new BigUint64Array([koffi.address(bytes), BigInt(bytes.length)]);
  const header = new BigUint64Array([
    0n,
    0n,
    koffi.address(vector),
    1n,
    koffi.address(control),
    BigInt(control.length),
    0n,
  ]);
  return { bytes: Buffer.from(header.buffer), keep: [vector, bytes, control] };
}

function asBytes(array: Int32Array): Uint8Array {
  return new Uint8Array(array.buffer);
}

function align(size: number): number {
  return (size + 7) & ~7;
}
