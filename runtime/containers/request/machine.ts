import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';

/** What of this machine bounds what a container may ask for. */
export interface Machine {
  /** Cores. */
  cpus: number;
  /** Bytes. */
  memory: number;
  /** Hard limits by Docker's names, e.g. `nofile`; Infinity: none. Nobody can be given more than we have. */
  hardLimits: Record<string, number>;
}

/** Docker's names for the lines of /proc/self/limits; see proc_pid_limits(5). */
const NAMES: Record<string, string> = {
  'Max cpu time': 'cpu',
  'Max file size': 'fsize',
  'Max data size': 'data',
  'Max stack size': 'stack',
  'Max resident set': 'rss',
  'Max processes': 'nproc',
  'Max open files': 'nofile',
  'Max locked memory': 'memlock',
  'Max file locks': 'locks',
  'Max pending signals': 'sigpending',
  'Max msgqueue size': 'msgqueue',
  'Max nice priority': 'nice',
  'Max realtime priority': 'rtprio',
  'Max realtime timeout': 'rttime',
};

/** Asks this machine. */
export function readMachine(): Machine {
  return { cpus: availableParallelism(), memory: totalmem(), hardLimits: readHardLimits() };
}

/** No core dumps: the kernel would hand them to a program of the host (core_pattern). */
function readHardLimits(): Record<string, number> {
  const lines = readFileSync('/proc/self/limits', 'latin1').split('\n').slice(1);
  const limits = lines.flatMap((line): [string, number][] => {
    const [, title, hard] = /^(.*?)\s{2,}\S+\s+(\S+)/.exec(line) ?? [];
    const name = title && NAMES[title];
    return name ? [[name, hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)]] : [];
  });
  return { ...Object.fromEntries(limits), core: 0 };
}
