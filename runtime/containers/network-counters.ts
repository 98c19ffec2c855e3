import { readFileSync } from 'node:fs';

/** What has gone through one interface. */
export interface NetworkCounters {
  received: TrafficCount;
  sent: TrafficCount;
}

export interface TrafficCount {
  bytes: number;
  packets: number;
  errors: number;
  dropped: number;
}

/** The interfaces but `lo` in the network namespace of a process, by name; none if it has ended. See proc_pid_net(5). */
export function readNetworkCounters(pid: number): Record<string, NetworkCounters> {
  try {
    return parseNetworkCounters(readFileSync(`/proc/${pid}/net/dev`, 'latin1'));
  } catch {
    return {};
  }
}

export function parseNetworkCounters(text: string): Record<string, NetworkCounters> {
  const entries = text.split('\n').flatMap((line): [string, NetworkCounters][] => {
    const [, name, rest] = /^\s*([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (!name || !rest || name === 'lo') return [];
    const counts = rest.split(/\s+/).map(Number);
    return [[name, { received: traffic(counts.slice(0, 4)), sent: traffic(counts.slice(8, 12)) }]];
  });
  return Object.fromEntries(entries);
}

function traffic([bytes = 0, packets = 0, errors = 0, dropped = 0]: number[]): TrafficCount {
  return { bytes, packets, errors, dropped };
}
