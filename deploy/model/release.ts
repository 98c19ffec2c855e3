import type { HealthCheck } from '../../buildpacks/health-checks.ts';
import type { CronEntry } from './cron-entry.ts';

/** Numbered and immutable: what runs. Only `state` changes, once. */
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
  /** canary: some visitors get it. */
  state: 'pending' | 'canary' | 'succeeded' | 'failed';
}

export type NewRelease = Omit<Release, 'version' | 'createdAt' | 'state'>;
