import type { LimitsConfig } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';

const DEFAULT_PIDS = 512;

/** The fields of HostConfig that `parseLimits` reads, or knows to be without a wish behind them. */
export const LIMIT_FIELDS = [
  'Memory',
  'MemorySwap',
  'MemorySwappiness',
  'NanoCpus',
  'CpuShares',
  'PidsLimit',
];

/** Reads how much of the machine a container may use. Throws `invalid`. */
export function parseLimits(fields: RequestFields): LimitsConfig {
  return {
    Memory: fields.count('Memory'),
    NanoCpus: fields.count('NanoCpus'),
    CpuShares: fields.count('CpuShares'),
    PidsLimit: fields.count('PidsLimit', DEFAULT_PIDS),
  };
}
