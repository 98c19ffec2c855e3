import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Who listens on a TCP port, as ` by nginx (process 123)`; empty when it cannot be found out. */
export function portHolder(port: number): string {
  const inodes = new Set(['tcp', 'tcp6'].flatMap((name) => listenersOf(readTable(name), port)));
  if (inodes.size === 0) return '';
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (!holdsSocket(pid, inodes)) continue;
    return ` by ${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()} (process ${pid})`;
  }
  return '';
}

/** The inodes of the sockets that listen on `port`, from the text of /proc/net/tcp (proc(5)). */
export function listenersOf(table: string, port: number): string[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === '0A' && Number.parseInt(fields[1]?.split(':')[1] ?? '', 16) === port)
    .map((fields) => fields[9] ?? '');
}

function readTable(name: string): string {
  try {
    return readFileSync(`/proc/net/${name}`, 'utf8');
  } catch {
    return '';
  }
}

function holdsSocket(pid: string, inodes: Set<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    });
  } catch {
    return false;
  }
}
