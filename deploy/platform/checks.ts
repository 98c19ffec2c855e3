import type { HealthCheck } from '../../buildpacks/health-checks.ts';

export interface CheckView extends HealthCheck {
  /** A command's takes the place of one in app.json that has the same name. */
  source: 'app.json' | 'command';
}

/** What somebody asks for; the rest has its usual value. */
export type WantedCheck = Partial<HealthCheck>;

export interface CheckResult {
  dyno: string;
  check: HealthCheck;
  /** In words; undefined: it passed. */
  problem: string | undefined;
}

/** How the web dynos of an app are asked whether they are well, and how long they may take to boot. */
export interface Checks {
  /** Of the current release, and those that were set. */
  list(app: string): CheckView[];
  /** Each once, on each web dyno that is up. Throws `conflict` where there is none. */
  run(app: string, signal: AbortSignal): Promise<CheckResult[]>;
  /** Replaces one of the same name. `wanted`: as in app.json, `healthchecks.web`. Throws `invalid`. */
  set(app: string, wanted: WantedCheck, user: string): CheckView[];
  /** Throws `not_found` for one that was not set. */
  unset(app: string, name: string, user: string): CheckView[];
  /** Seconds that a web dyno has to listen on $PORT. */
  bootTimeout(app: string): number;
  /** undefined: the platform's own again. Throws `invalid`. */
  setBootTimeout(app: string, seconds: number | undefined, user: string): void;
}
