/** The time in which a quota of processor time is used up and filled again; the kernel's default. */
export const PERIOD_MICROSECONDS = 100_000;

/** Processor time per period for Docker's NanoCpus; undefined: no limit. The kernel takes no less than a millisecond. */
export function quotaMicroseconds(nanoCpus: number | undefined): number | undefined {
  if (!nanoCpus) return undefined;
  return Math.max(1000, Math.round((nanoCpus / 1e9) * PERIOD_MICROSECONDS));
}

/** cgroup v2's weight (1 to 10000) for v1's shares (2 to 262144), as runc converts them. */
export function cpuWeight(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
}
