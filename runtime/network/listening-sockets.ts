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

/** From the text of such a table (proc_pid_net(5)). */
export function parseListening(table: string): ListeningSocket[] {
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTEN)
    .map((fields) => {
      const [address = '', port = ''] = fields[1]!.split(':');
      return { port: Number.parseInt(port, 16), loopback: LOOPBACK.test(address) };
    });
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
