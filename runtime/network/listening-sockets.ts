import { readFileSync } from 'node:fs';

export interface ListeningSocket {
  port: number;
  /** Only programs in the same network namespace reach it. */
  loopback: boolean;
}

/** Where TCP sockets listen in the network namespace of a process. */
export function listeningSockets(pid: number): ListeningSocket[] {
  return ['tcp', 'tcp6'].flatMap((name) => parseListening(readTable(`/proc/${pid}/net/${name}`)));
}

/** From the text of such a table. */
export function parseListening(table: string): ListeningSocket[] {
  return table.split('\n').flatMap((line) => {
    const socket = parseSocket(line);
    if (!socket?.listens) return [];
    const [address = '', port = ''] = socket.local.split(':');
    return { port: Number.parseInt(port, 16), loopback: LOOPBACK.test(address) };
  });
}

/** A line of a table of TCP sockets (proc_pid_net(5)). */
interface SocketLine {
  /** Address and port, in the kernel's digits. */
  local: string;
  listens: boolean;
  /** Bytes to be read; of one that listens: connections that nobody has accepted. */
  waiting: number;
}

/** undefined: it is the table's head, or empty. */
export function parseSocket(line: string): SocketLine | undefined {
  const [slot, local, , state, queues] = line.trim().split(/\s+/, 5);
  if (!queues || slot === 'sl') return undefined;
  return { local: local!, listens: state === LISTEN, waiting: Number.parseInt(queues.split(':')[1]!, 16) };
}

function readTable(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // it has ended, or the kernel has no IPv6
  }
}

const LISTEN = '0A';
/** 127.0.0.0/8, ::ffff:127.0.0.0/104 and ::1, in the order of the bytes of a little-endian machine. */
const LOOPBACK = /^(([0-9A-F]{16}FFFF0000)?[0-9A-F]{6}7F|0{24}01000000)$/;
