import type { ResourceStats } from '../containers/kernel.ts';
import type { NetworkCounters } from '../containers/network-counters.ts';

/** What a container used at one moment. */
export interface StatsSample {
  time: Date;
  /** Undefined: it did not run. */
  resources: ResourceStats | undefined;
  networks: Record<string, NetworkCounters>;
  machine: { cpus: number; memory: number; cpuNanoseconds: number };
}

/** One item of the answer to `GET /containers/{id}/stats`; clients compute shares from it and the sample before. */
export function statsView(
  container: { id: string; name: string },
  now: StatsSample,
  before: StatsSample | undefined,
): object {
  const { resources } = now;
  return {
    id: container.id,
    name: `/${container.name}`,
    read: now.time.toISOString(),
    preread: before?.time.toISOString() ?? '0001-01-01T00:00:00Z',
    num_procs: 0,
    storage_stats: {},
    pids_stats: resources ? { current: resources.pids.current, ...limit(resources.pids.limit) } : {},
    cpu_stats: cpuView(now),
    precpu_stats: cpuView(before),
    memory_stats: resources ? memoryView(resources.memory, now.machine.memory) : {},
    blkio_stats: resources ? blockView(resources.io) : {},
    ...(resources ? { networks: networksView(now.networks) } : {}),
  };
}

function cpuView(sample: StatsSample | undefined): object {
  const cpu = sample?.resources?.cpu;
  return {
    cpu_usage: {
      total_usage: cpu?.total ?? 0,
      usage_in_kernelmode: cpu?.kernel ?? 0,
      usage_in_usermode: cpu?.user ?? 0,
      ...(cpu?.perCpu.length ? { percpu_usage: cpu.perCpu } : {}),
    },
    ...(sample && cpu
      ? { system_cpu_usage: sample.machine.cpuNanoseconds, online_cpus: sample.machine.cpus }
      : {}),
    throttling_data: {
      periods: cpu?.periods ?? 0,
      throttled_periods: cpu?.throttledPeriods ?? 0,
      throttled_time: cpu?.throttled ?? 0,
    },
  };
}

/** No limit of its own: the machine's memory is it. */
function memoryView(memory: ResourceStats['memory'], machineMemory: number): object {
  return {
    usage: memory.usage,
    max_usage: memory.peak,
    failcnt: memory.failures,
    limit: Math.min(memory.limit, machineMemory),
    stats: memory.details,
  };
}

function blockView(io: ResourceStats['io']): object {
  const entries = (value: 'bytes' | 'requests') =>
    io.map((count) => ({
      ...{ major: count.major, minor: count.minor },
      ...{ op: count.operation, value: count[value] },
    }));
  return {
    io_service_bytes_recursive: entries('bytes'),
    io_serviced_recursive: entries('requests'),
    ...{ io_queue_recursive: null, io_service_time_recursive: null, io_wait_time_recursive: null },
    ...{ io_merged_recursive: null, io_time_recursive: null, sectors_recursive: null },
  };
}

function networksView(networks: StatsSample['networks']): object {
  const entries = Object.entries(networks).map(([name, { received, sent }]) => [
    name,
    {
      ...{ rx_bytes: received.bytes, rx_packets: received.packets },
      ...{ rx_errors: received.errors, rx_dropped: received.dropped },
      ...{ tx_bytes: sent.bytes, tx_packets: sent.packets },
      ...{ tx_errors: sent.errors, tx_dropped: sent.dropped },
    },
  ]);
  return Object.fromEntries(entries);
}

function limit(value: number): object {
  return Number.isFinite(value) ? { limit: value } : {};
}
