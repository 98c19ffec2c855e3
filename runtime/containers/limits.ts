import type { LimitsConfig, ProcessLimitsConfig } from './container-config.ts';
import type { LimitFeatures, Limits, ProcessLimits } from './kernel.ts';

/** What the kernel is asked for. */
export function limitsOf(host: LimitsConfig): Limits {
  return {
    memory: host.Memory || undefined,
    memorySwap: host.MemorySwap || undefined,
    memoryReservation: host.MemoryReservation || undefined,
    nanoCpus: host.NanoCpus || undefined,
    cpuQuota: host.CpuQuota > 0 ? host.CpuQuota : undefined,
    cpuPeriod: host.CpuPeriod || undefined,
    cpuShares: host.CpuShares || undefined,
    cpus: host.CpusetCpus || undefined,
    memoryNodes: host.CpusetMems || undefined,
    pids: host.PidsLimit > 0 ? host.PidsLimit : undefined,
    ioWeight: host.BlkioWeight || undefined,
  };
}

/** The same for each process. */
export function processLimitsOf(host: ProcessLimitsConfig): ProcessLimits {
  return {
    ulimits: host.Ulimits.map(({ Name, Soft, Hard }) => ({ name: Name, soft: Soft, hard: Hard })),
    oomScoreAdj: host.OomScoreAdj,
  };
}

/** Without the limits that this kernel does not know; and what a client should be told of that, in Docker's words. */
export function discardUnsupported<Config extends LimitsConfig>(
  limits: Config,
  features: LimitFeatures,
): { limits: Config; warnings: string[] } {
  const supported = { ...limits };
  const warnings: string[] = [];
  if (limits.BlkioWeight > 0 && !features.ioWeight) {
    supported.BlkioWeight = 0;
    warnings.push(
      'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.',
    );
  }
  if (limits.Memory > 0 && limits.MemorySwap !== -1 && !features.swap) {
    supported.MemorySwap = -1;
    warnings.push(
      'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
    );
  }
  if ((limits.CpusetCpus || limits.CpusetMems) && !features.cpuset) {
    supported.CpusetCpus = '';
    supported.CpusetMems = '';
    warnings.push(
      'Your kernel does not support cpuset or the cpuset cgroup is not mounted. Cpuset discarded.',
    );
  }
  return { limits: supported, warnings };
}
