import { closeSync } from 'node:fs';
import { AF, SOCK, SOL_SOCKET } from './constants.ts';
import { systemCall } from './system-call.ts';

/**
 * A socket at an IPv4 address that need not be the host's yet (IP_FREEBIND of ip(7)); close-on-exec, does not block. Throws
 * `SystemCallError`, `EADDRINUSE` if another has the port.
 */
export function boundSocket(options: { type: 'datagram' | 'stream'; address: string; port: number }): number {
  const { type, address, port } = options;
  const kind = type === 'stream' ? SOCK.STREAM : SOCK.DGRAM;
  const socket = systemCall('socket', AF.INET, kind | SOCK.CLOEXEC | SOCK.NONBLOCK, 0);
  try {
    setOption(socket, IPPROTO_IP, IP_FREEBIND);
    // Else connections that have just ended would keep the port.
    if (type === 'stream') setOption(socket, SOL_SOCKET, SO_REUSEADDR);
    const name = socketAddress(address, port);
    systemCall('bind', socket, name, name.length);
    return socket;
  } catch (error) {
    closeSync(socket);
    throw error;
  }
}

const IPPROTO_IP = 0;
const IP_FREEBIND = 15;
const SO_REUSEADDR = 2;

function setOption(socket: number, level: number, option: number): void {
  systemCall('setsockopt', socket, level, option, new Uint8Array(new Int32Array([1]).buffer), 4);
}

/** `struct sockaddr_in`. */
function socketAddress(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF.INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address.split('.').map(Number), 4);
  return bytes;
}
