import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** What is read of a table at most: some 7,000 sockets that listen, which cost their container 4 KB each. */
const MOST_BYTES = 1 << 20;
/** The kernel gives no more at once. */
const PIECE = 4096;
const LISTEN = '0A';

/** How many TCP sockets there are on the machine, or in the network namespace of a process; 0: it has ended. See /proc/net/sockstat. */
export function countSockets(pid?: number): number {
  const [path, field] =
    pid === undefined ? ['/proc/net/sockstat', 'alloc'] : [`/proc/${pid}/net/sockstat`, 'inuse'];
  return Number(new RegExp(`^TCP:.* ${field} (\\d+)`, 'm').exec(readText(path!))?.[1] ?? 0);
}

/** How many connections wait in the network namespace of a process until somebody accepts them. Stops counting above `enough`. */
export function countWaiting(pid: number, enough: number): number {
  let count = 0;
  for (const name of ['tcp', 'tcp6']) {
    if (count <= enough) count += countInTable(`/proc/${pid}/net/${name}`, enough - count);
  }
  return count;
}

/** Sockets that listen come first in such a table (proc_pid_net(5)), with what waits there as `rx_queue`. */
function countInTable(path: string, enough: number): number {
  const file = openIfThere(path);
  if (file === undefined) return 0;
  try {
    const piece = Buffer.allocUnsafe(PIECE);
    let count = 0;
    let rest = '';
    for (let read = 0; read < MOST_BYTES && count <= enough; ) {
      const bytes = readSync(file, piece);
      if (bytes === 0) return count;
      read += bytes;
      const lines = (rest + piece.toString('latin1', 0, bytes)).split('\n');
      rest = lines.pop()!;
      const { waiting, isLast } = sumWaiting(lines);
      count += waiting;
      if (isLast) return count;
    }
    return count;
  } finally {
    closeSync(file);
  }
}

/** Of whole lines of such a table; `isLast`: what comes after them does not listen. */
export function sumWaiting(lines: string[]): { waiting: number; isLast: boolean } {
  const sockets = lines.map((line) => line.trim().split(/\s+/)).filter(([slot]) => slot !== 'sl');
  const listening = sockets.filter((fields) => fields[3] === LISTEN);
  const waiting = listening.map((fields) => Number.parseInt(fields[4]!.split(':')[1]!, 16));
  return {
    waiting: waiting.reduce((sum, count) => sum + count, 0),
    isLast: listening.length < sockets.length,
  };
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined; // it has ended, or the kernel has no IPv6
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
