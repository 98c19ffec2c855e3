import { type FileHandle, open, readFile } from 'node:fs/promises';
import { parseSocket } from './listening-sockets.ts';

/** The kernel gives no more at once. */
const PIECE = 4096;

/** How many TCP sockets there are on the machine, in all network namespaces. See /proc/net/sockstat. */
export async function countSockets(): Promise<number> {
  return numberIn(await readText('/proc/net/sockstat'), /^TCP:.* alloc (\d+)/m);
}

/** How many TCP sockets are in use in the network namespace of a process; 0: it has ended. */
export async function countSocketsOf(pid: number): Promise<number> {
  const [v4, v6] = await Promise.all([
    readText(`/proc/${pid}/net/sockstat`),
    readText(`/proc/${pid}/net/sockstat6`),
  ]);
  return numberIn(v4, /^TCP: inuse (\d+)/m) + numberIn(v6, /^TCP6: inuse (\d+)/m);
}

/** How many connections wait in the network namespace of a process until somebody accepts them. Stops counting above `enough`. */
export async function countWaiting(pid: number, enough: number): Promise<number> {
  let count = 0;
  for (const name of ['tcp', 'tcp6']) {
    if (count <= enough) count += await countInTable(`/proc/${pid}/net/${name}`, enough - count);
  }
  return count;
}

/** Sockets that listen come first in such a table (proc_pid_net(5)), with what waits there as `rx_queue`. */
async function countInTable(path: string, enough: number): Promise<number> {
  const file = await openIfThere(path);
  if (file === undefined) return 0;
  try {
    const piece = Buffer.alloc(PIECE);
    let count = 0;
    for (let rest = ''; count <= enough; ) {
      const { bytesRead } = await file.read(piece);
      if (bytesRead === 0) return count;
      const lines = (rest + piece.toString('latin1', 0, bytesRead)).split('\n');
      rest = lines.pop()!;
      const { waiting, isLast } = sumWaiting(lines);
      count += waiting;
      if (isLast) return count;
    }
    return count;
  } finally {
    await file.close();
  }
}

/** Of whole lines of such a table; `isLast`: what comes after them does not listen. */
export function sumWaiting(lines: string[]): { waiting: number; isLast: boolean } {
  let waiting = 0;
  for (const line of lines) {
    const socket = parseSocket(line);
    if (!socket) continue;
    if (!socket.listens) return { waiting, isLast: true };
    waiting += socket.waiting;
  }
  return { waiting, isLast: false };
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path);
  } catch {
    return undefined; // it has ended, or the kernel has no IPv6
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1');
  } catch {
    return '';
  }
}

function numberIn(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0);
}
