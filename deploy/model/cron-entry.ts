/** What happens when the last run has not ended: no new one, one more, or a new one in its place. */
export type Concurrency = 'forbid' | 'allow' | 'replace';

/** A command and when to run it. */
export interface CronEntry {
  /** Five fields (crontab(5)) or `@daily` and the like; UTC. */
  schedule: string;
  command: string;
  concurrency: Concurrency;
  /** Seconds. */
  timeLimit: number;
}

export const CONCURRENCIES: Concurrency[] = ['forbid', 'allow', 'replace'];

/** Seconds. */
export const DEFAULT_TIME_LIMIT = 24 * 3600;
