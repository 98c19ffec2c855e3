import { readFileSync, readlinkSync } from 'node:fs';
import type { Address } from '../config.ts';

/** A socket that listens, or only has its address yet. */
export interface HeldSocket {
  fd(): number;
  close(): void;
}

/**
 * The sockets that systemd has opened for this process (sd_listen_fds(3)), by address and port. They outlast it: whoever connects
 * while it is started anew waits.
 */
export class PassedSockets {
  readonly #descriptors = new Map<string, number>();

  constructor(env: Record<string, string | undefined>, pid: number = process.pid) {
    if (Number(env.LISTEN_PID) !== pid) return;
    const table = readFileSync('/proc/net/tcp', 'utf8');
    for (let fd = FIRST; fd < FIRST + Number(env.LISTEN_FDS); fd += 1) {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
      const address = inode && localAddress(table, inode);
      if (address) this.#descriptors.set(address, fd);
    }
  }

  has(address: Address): boolean {
    return this.#descriptors.has(keyOf(address));
  }

  /** undefined: none for this address. */
  find(address: Address): HeldSocket | undefined {
    const fd = this.#descriptors.get(keyOf(address));
    // Closed by nobody: it is systemd's.
    return fd === undefined ? undefined : { fd: () => fd, close: () => {} };
  }
}

/** The local address of a socket in the text of /proc/net/tcp (proc_net_tcp(5)): `127.0.0.1:80`. */
export function localAddress(table: string, inode: string): string | undefined {
  for (const line of table.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[9] !== inode) continue;
    const [address = '', port = ''] = fields[1]!.split(':');
    const octets = address.match(/../g)?.map((hex) => Number.parseInt(hex, 16)) ?? [];
    return `${octets.reverse().join('.')}:${Number.parseInt(port, 16)}`;
  }
  return undefined;
}

function keyOf({ host, port }: Address): string {
  return `${host}:${port}`;
}

/** SD_LISTEN_FDS_START. */
const FIRST = 3;
