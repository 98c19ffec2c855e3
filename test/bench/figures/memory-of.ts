import { readdirSync, readFileSync } from 'node:fs';

/** Kilobytes of a process's own and its share of what it has in common with others. */
export function pss(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readText(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
}

/** Kilobytes that the kernel itself uses on this machine, without caches of files' contents. */
export function kernelMemory(): number {
  const text = readText('/proc/meminfo');
  const size = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  return ['Slab', 'KernelStack', 'PageTables', 'Percpu'].reduce((sum, key) => sum + size(key), 0);
}

/** Kilobytes in main memory, shared or not. */
export function residentMemory(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** Processes whose parent this is. */
export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => Number(/^PPid:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`))?.[1]) === parent);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
