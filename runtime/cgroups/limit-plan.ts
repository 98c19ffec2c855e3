import type { Limits } from '../containers/kernel.ts';
import { cpuBandwidth, cpuWeight, ioWeight, memoryAndSwap } from './limit-values.ts';

/** What to write into which control file of a group. */
export interface ControlWrite {
  file: string;
  value: string | number;
  /** Not every kernel has it: without the file nothing is written. */
  optional?: boolean;
}

/** Those of the writes that do not stand among `before`, which the group has. */
export function withoutKnown<Write extends ControlWrite>(writes: Write[], before: ControlWrite[]): Write[] {
  return writes.filter(
    ({ file, value }) => !before.some((known) => known.file === file && known.value === value),
  );
}

/** Those of the limits that any group can be given in advance: others can be set, but not taken back. */
export function revocableLimits({ memory, memorySwap, nanoCpus, cpuQuota, cpuPeriod, pids }: Limits): Limits {
  return { memory, memorySwap, nanoCpus, cpuQuota, cpuPeriod, pids };
}

/** cgroup v2: kernel documentation, admin-guide/cgroup-v2. In an order in which each may be written while processes run. */
export function planLimitsV2(limits: Limits): ControlWrite[] {
  const { quota, period } = cpuBandwidth(limits);
  return [
    { file: 'memory.max', value: limits.memory ?? 'max' },
    { file: 'memory.swap.max', value: swapAlone(limits) ?? 'max', optional: true },
    ...given(limits.memoryReservation, (value) => ({ file: 'memory.low', value })),
    { file: 'pids.max', value: limits.pids ?? 'max' },
    { file: 'cpu.max', value: `${quota ?? 'max'} ${period}` },
    ...given(limits.cpuShares, (value) => ({ file: 'cpu.weight', value: cpuWeight(value) })),
    ...given(limits.cpus, (value) => ({ file: 'cpuset.cpus', value })),
    ...given(limits.memoryNodes, (value) => ({ file: 'cpuset.mems', value })),
    ...given(limits.ioWeight, (value) => ({ file: 'io.bfq.weight', value, optional: true })),
    ...given(limits.ioWeight, (value) => ({ file: 'io.weight', value: ioWeight(value), optional: true })),
  ];
}

/** Bytes of swap, which v2 counts without the memory. */
function swapAlone(limits: Limits): number | undefined {
  const both = memoryAndSwap(limits);
  return both === undefined ? undefined : Math.max(0, both - (limits.memory ?? 0));
}

/** The hierarchies of cgroup v1 of which a container's group has limits. */
export type LimitingController = 'memory' | 'pids' | 'cpu' | 'cpuset' | 'blkio';

/** Bytes in buffers of sockets of all kinds, whatever the name says; counted from the first time that it is written. */
export const SOCKETS_V1 = 'memory.kmem.tcp.limit_in_bytes';

/** A write in one of the hierarchies of cgroup v1. */
export type ControlWriteV1 = ControlWrite & { controller: LimitingController };

/** Limits that a group of cgroup v1 has; Infinity: none. */
export interface MemoryNow {
  memory: number;
  memoryAndSwap: number;
}

/**
 * cgroup v1: kernel documentation, admin-guide/cgroup-v1. The kernel wants the limit of memory alone to be no higher
 * than that of memory and swap at every moment, so which is written first depends on what they are now.
 */
export function planLimitsV1(limits: Limits, now: MemoryNow): ControlWriteV1[] {
  const { quota, period } = cpuBandwidth(limits);
  return [
    ...planMemoryV1(limits, now),
    { controller: 'pids', file: 'pids.max', value: limits.pids ?? 'max' },
    { controller: 'cpu', file: 'cpu.cfs_period_us', value: period },
    { controller: 'cpu', file: 'cpu.cfs_quota_us', value: quota ?? -1 },
    ...given(limits.cpuShares, (value) => inV1('cpu', 'cpu.shares', value)),
    ...given(limits.cpus, (value) => inV1('cpuset', 'cpuset.cpus', value)),
    ...given(limits.memoryNodes, (value) => inV1('cpuset', 'cpuset.mems', value)),
    ...given(limits.ioWeight, (value) => ({ ...inV1('blkio', 'blkio.bfq.weight', value), optional: true })),
    ...given(limits.ioWeight, (value) => ({ ...inV1('blkio', 'blkio.weight', value), optional: true })),
  ];
}

/** What `planLimitsV1` needs to know of a group with these limits. */
export function memoryOf(limits: Limits): MemoryNow {
  return {
    memory: limits.memory ?? Number.POSITIVE_INFINITY,
    memoryAndSwap: memoryAndSwap(limits) ?? Number.POSITIVE_INFINITY,
  };
}

/**
 * What sockets hold v1 does not count with the memory, and v2 does: without a limit of its own, an app without memory takes
 * gigabytes of the host's by sending itself what it does not read.
 */
function socketMemory(memory: string | number): number {
  return typeof memory === 'number' && memory > 0 ? Math.floor(memory / 4) : -1;
}

/** A group without limits is left as it is. */
function planMemoryV1(limits: Limits, now: MemoryNow): ControlWriteV1[] {
  const { memory: wanted, memoryAndSwap: wantedBoth } = memoryOf(limits);
  const write = (file: string, value: number, before: number): ControlWriteV1[] =>
    value === before ? [] : [inV1('memory', file, Number.isFinite(value) ? value : -1)];
  const memory = write('memory.limit_in_bytes', wanted, now.memory);
  const both = write('memory.memsw.limit_in_bytes', wantedBoth, now.memoryAndSwap).map((swap) => ({
    ...swap,
    optional: true,
  }));
  const reservation = given(limits.memoryReservation, (value) =>
    inV1('memory', 'memory.soft_limit_in_bytes', value),
  );
  const sockets = memory.map(({ value }) => ({
    ...inV1('memory', SOCKETS_V1, socketMemory(value)),
    optional: true,
  }));
  return [
    ...(wantedBoth > now.memoryAndSwap ? [...both, ...memory] : [...memory, ...both]),
    ...sockets,
    ...reservation,
  ];
}

function inV1(controller: LimitingController, file: string, value: string | number): ControlWriteV1 {
  return { controller, file, value };
}

function given<Value, Write>(value: Value | undefined, write: (value: Value) => Write): Write[] {
  return value === undefined ? [] : [write(value)];
}
