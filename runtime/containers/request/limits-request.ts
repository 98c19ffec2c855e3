import { EngineError } from '../../engine-error.ts';
import type { LimitsConfig } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';
import type { Machine } from './machine.ts';

const DEFAULT_PIDS = 512;
/** What Docker asks for at least, since nothing runs with less. */
const LEAST_MEMORY = 6 * 1024 * 1024;
/** The kernel's own bound (PID_MAX_LIMIT). */
const MOST_PIDS = 4_194_304;
const MOST_CORES = 8192;

/** The fields of HostConfig that `parseLimits` reads, or knows to be without a wish behind them. */
export const LIMIT_FIELDS = [
  ...['Memory', 'MemorySwap', 'MemoryReservation', 'MemorySwappiness', 'PidsLimit', 'BlkioWeight'],
  ...['NanoCpus', 'CpuPeriod', 'CpuQuota', 'CpuShares', 'CpusetCpus', 'CpusetMems'],
];

/** Reads how much of the machine a container may use. Throws `invalid`. */
export function parseLimits(fields: RequestFields, machine: Machine): LimitsConfig {
  const asked = readLimits(fields, machine);
  return requireSense({ ...asked, PidsLimit: asked.PidsLimit || DEFAULT_PIDS });
}

/** Reads what of the limits of a container is to change, over what they are. Throws `invalid`. */
export function parseLimitChanges(
  fields: RequestFields,
  machine: Machine,
  current: LimitsConfig,
): LimitsConfig {
  const asked = readLimits(fields, machine);
  const changes = Object.entries(asked).filter(([, value]) => value !== 0 && value !== '');
  return requireSense({ ...current, ...Object.fromEntries(changes) });
}

function readLimits(fields: RequestFields, machine: Machine): LimitsConfig {
  return {
    Memory: fields.integer('Memory', { min: LEAST_MEMORY }),
    MemorySwap: fields.integer('MemorySwap', { min: -1 }),
    MemoryReservation: fields.integer('MemoryReservation', { min: LEAST_MEMORY }),
    NanoCpus: fields.integer('NanoCpus', { min: 1, max: machine.cpus * 1e9 }),
    CpuPeriod: fields.integer('CpuPeriod', { min: 1000, max: 1_000_000 }),
    CpuQuota: parseQuota(fields, machine),
    CpuShares: fields.integer('CpuShares', { min: 2, max: 262_144 }),
    CpusetCpus: parseSet(fields, 'CpusetCpus', machine.cpus),
    CpusetMems: parseSet(fields, 'CpusetMems', MOST_CORES),
    PidsLimit: fields.integer('PidsLimit', { min: -1, max: MOST_PIDS }),
    BlkioWeight: fields.integer('BlkioWeight', { min: 10, max: 1000 }),
  };
}

/** -1: no limit. The kernel counts in periods of at most a second. */
function parseQuota(fields: RequestFields, machine: Machine): number {
  if (fields.raw('CpuQuota') === -1) return -1;
  return fields.integer('CpuQuota', { min: 1000, max: machine.cpus * 1_000_000 });
}

/** `0-2,4`: numbers below `count`. */
function parseSet(fields: RequestFields, name: string, count: number): string {
  const text = fields.string(name);
  if (text === '') return text;
  const ranges = text.split(',').map((part) => /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part));
  const isWrong = ranges.some((range) => {
    const [first, last] = [Number(range?.[1]), Number(range?.[2] ?? range?.[1])];
    return !(first <= last && last < count);
  });
  if (!isWrong) return text;
  throw new EngineError('invalid', `${name} must be like 0-2,4 with numbers below ${count}, not "${text}".`);
}

function requireSense(limits: LimitsConfig): LimitsConfig {
  const { Memory, MemorySwap, MemoryReservation } = limits;
  if (MemorySwap > 0 && Memory === 0) {
    throw new EngineError('invalid', 'MemorySwap needs Memory: it is the sum of memory and swap.');
  }
  if (MemorySwap > 0 && MemorySwap < Memory) {
    throw new EngineError(
      'invalid',
      'MemorySwap must not be less than Memory: it is the sum of memory and swap.',
    );
  }
  if (Memory > 0 && MemoryReservation > Memory) {
    throw new EngineError('invalid', 'MemoryReservation must not be more than Memory.');
  }
  if (limits.NanoCpus > 0 && (limits.CpuPeriod > 0 || limits.CpuQuota > 0)) {
    throw new EngineError(
      'invalid',
      'NanoCpus and CpuPeriod or CpuQuota exclude each other: they say the same.',
    );
  }
  return limits;
}
