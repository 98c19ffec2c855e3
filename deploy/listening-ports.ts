import { readFileSync } from 'node:fs';

/** Whether a program of this machine listens on a TCP port, whoever runs it: by the kernel's table (proc_pid_net(5)). */
export function isListening(port: number): boolean {
  return ['tcp', 'tcp6'].some((name) => portsOf(name).includes(port));
}

const LISTEN = '0A';

function portsOf(name: string): number[] {
  return readTable(name)
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTEN)
    .map((fields) => Number.parseInt(fields[1]?.split(':')[1] ?? '', 16));
}

function readTable(name: string): string {
  try {
    return readFileSync(`/proc/net/${name}`, 'utf8');
  } catch {
    return ''; // a kernel without IPv6
  }
}
