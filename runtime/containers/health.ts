import type { HealthConfig } from './container-config.ts';

/** What is known of an app's health since its start. */
export interface Health {
  status: 'starting' | 'healthy' | 'unhealthy';
  /** Failures in a row. */
  failingStreak: number;
  /** The last probes, newest last. */
  log: Probe[];
}

/** One look at an app. */
export interface Probe {
  /** ISO 8601. */
  start: string;
  end: string;
  /** 0: it is well; -1: the probe did not end in time, or could not be started. */
  exitCode: number;
  /** The begin of what it wrote. */
  output: string;
}

/** A health check with every value filled in; times in milliseconds. */
export interface HealthCheck {
  args: string[];
  interval: number;
  timeout: number;
  startPeriod: number;
  startInterval: number;
  retries: number;
}

export const STARTING: Health = { status: 'starting', failingStreak: 0, log: [] };
const MAX_LOG = 5;
const NANOSECONDS = 1e6;

/** Docker's defaults for what the config leaves open. Undefined: nothing is to be looked at. */
export function healthCheck(config: HealthConfig | undefined): HealthCheck | undefined {
  const [kind, ...rest] = config?.Test ?? [];
  if (!config || !kind || kind === 'NONE') return undefined;
  return {
    args: kind === 'CMD-SHELL' ? ['/bin/sh', '-c', rest.join(' ')] : rest,
    interval: config.Interval / NANOSECONDS || 30_000,
    timeout: config.Timeout / NANOSECONDS || 30_000,
    startPeriod: config.StartPeriod / NANOSECONDS,
    startInterval: config.StartInterval / NANOSECONDS || 5_000,
    retries: config.Retries || 3,
  };
}

/** Whether failures do not count yet. */
export function isInStartPeriod(
  check: HealthCheck,
  now: { health: Health; startedAt: string; time: Date },
): boolean {
  return (
    now.health.status === 'starting' && now.time.getTime() - Date.parse(now.startedAt) < check.startPeriod
  );
}

/** What is known after one more probe. */
export function afterProbe(
  health: Health,
  probe: Probe,
  { check, inStartPeriod }: { check: HealthCheck; inStartPeriod: boolean },
): Health {
  const log = [...health.log, probe].slice(-MAX_LOG);
  if (probe.exitCode === 0) return { status: 'healthy', failingStreak: 0, log };
  if (inStartPeriod) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { status: failingStreak >= check.retries ? 'unhealthy' : health.status, failingStreak, log };
}
