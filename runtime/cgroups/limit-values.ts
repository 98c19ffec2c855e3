import type { Limits } from '../containers/kernel.ts';

/** The time in which a quota of processor time is used up and filled again; the kernel's default. */
export const PERIOD_MICROSECONDS = 100_000;

/** Processor time per period; `quota` undefined: no limit. Both in microseconds. */
export function cpuBandwidth(limits: Limits): { quota: number | undefined; period: number } {
  if (limits.nanoCpus) return { quota: quotaMicroseconds(limits.nanoCpus), period: PERIOD_MICROSECONDS };
  return { quota: limits.cpuQuota, period: limits.cpuPeriod ?? PERIOD_MICROSECONDS };
}

/** Processor time per period for Docker's NanoCpus; undefined: no limit. The kernel takes no less than a millisecond. */
export function quotaMicroseconds(nanoCpus: number | undefined): number | undefined {
  if (!nanoCpus) return undefined;
  return Math.max(1000, Math.round((nanoCpus / 1e9) * PERIOD_MICROSECONDS));
}

/** Bytes of memory and swap together; undefined: no limit. As Docker: twice the memory unless something else is asked for. */
export function memoryAndSwap({ memory, memorySwap }: Limits): number | undefined {
  if (memorySwap !== undefined) return memorySwap < 0 ? undefined : memorySwap;
  return memory === undefined ? undefined : 2 * memory;
}

/** cgroup v2's weight (1 to 10000) for v1's shares (2 to 262144), as runc converts them. */
export function cpuWeight(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
}

/** io.weight (1 to 10000) for Docker's weight (10 to 1000), as runc converts it. */
export function ioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}
