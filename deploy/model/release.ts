import type { HealthCheck } from '../../buildpacks/health-checks.ts';
import type { CronEntry } from './cron-entry.ts';
import type { ReleaseHooks } from './release-hooks.ts';

/** Numbered and immutable: what runs. Only `state` changes, once, and `reason` with it. */
export interface Release {
  app: string;
  version: number;
  description: string;
  user: string;
  createdAt: Date;
  commit: string | undefined;
  buildId: number | undefined;
  /** Id of the image in the runtime's store. */
  image: string;
  /** Process type → command. */
  processes: Record<string, string>;
  config: Record<string, string>;
  /** Of its app.json. */
  cron: CronEntry[];
  checks: HealthCheck[];
  hooks: ReleaseHooks;
  /** Process type → how many of its dynos may boot at once; none: all. */
  maxParallel: Record<string, number>;
  /** canary: some visitors get it. */
  state: 'pending' | 'canary' | 'succeeded' | 'failed' | 'given up';
  /** Why it failed, in words. */
  reason: string | undefined;
}

export type NewRelease = Omit<Release, 'version' | 'createdAt' | 'state' | 'reason'>;
