import type { Readable, Writable } from 'node:stream';
import type { DynoLimits } from './model/dyno-limits.ts';
import type { PortMapping } from './model/port-mapping.ts';
import type { PreviewSettings } from './model/preview-settings.ts';
import type { Keys, Sessions } from './platform/access.ts';
import type { Domains, Ports, Redirects, Visitors } from './platform/addresses.ts';
import type { Certificates, Https } from './platform/certificates.ts';
import type { Checks } from './platform/checks.ts';
import type { Pipelines } from './platform/pipelines.ts';
import type { Cron, Runs } from './platform/runs.ts';
import type { Webhooks } from './platform/webhooks.ts';

/**
 * What the platform offers to its front ends (SSH commands, dashboard, API): one interface per noun.
 * Every method that takes an app name throws `not_found` for an unknown app; every method that
 * changes something takes the name of the user who does it.
 */
export interface Platform {
  readonly apps: Apps;
  readonly dynos: Dynos;
  readonly config: ConfigVars;
  readonly releases: Releases;
  readonly builds: Builds;
  readonly domains: Domains;
  readonly redirects: Redirects;
  readonly visitors: Visitors;
  readonly ports: Ports;
  readonly certificates: Certificates;
  readonly https: Https;
  readonly keys: Keys;
  readonly sessions: Sessions;
  readonly logs: Logs;
  readonly runs: Runs;
  readonly pushes: Pushes;
  readonly events: Events;
  readonly webhooks: Webhooks;
  readonly limits: Limits;
  readonly idle: Idle;
  readonly checks: Checks;
  readonly previews: Previews;
  readonly pipelines: Pipelines;
  readonly canaries: Canaries;
  readonly cron: Cron;
  readonly maintenance: Maintenance;
  readonly metrics: Metrics;
}

/** In words that a page or a listing can print as they are. */
export type AppState = 'up' | 'idle' | 'starting' | 'crashed' | 'stopped' | 'no release';

export interface AppSummary {
  name: string;
  state: AppState;
  /** Running web dynos and all wanted dynos, e.g. `{ running: 2, wanted: 3 }`. */
  dynos: { running: number; wanted: number };
  /** The current release's number, e.g. 12 for `v12`; undefined before the first. */
  release: number | undefined;
  releasedAt: Date | undefined;
  createdAt: Date;
  /** The first URL, e.g. `http://app.example.com/`. */
  url: string;
}

export interface Apps {
  list(): AppSummary[];
  find(name: string): AppSummary;
  /** Throws `invalid` for a bad or reserved name, `conflict` for a taken one. */
  create(name: string, user: string): AppSummary;
  /** Stops the dynos and removes everything of the app: repository, releases, images, config, logs. */
  destroy(name: string, user: string): Promise<void>;
}

/** idle: without a container until the next request. */
export type DynoState = 'idle' | 'starting' | 'up' | 'crashed' | 'stopping';

export interface DynoView {
  /** e.g. `web.1` */
  name: string;
  type: string;
  number: number;
  command: string;
  state: DynoState;
  since: Date;
  release: number;
  /** Why it crashed, in words, e.g. `exited with status 1`. */
  reason: string | undefined;
  /** For a crashed one: how often in a row, and its next start. */
  backoff?: { crashes: number; next: Date };
}

/** One term of the scale grammar: `web=3`, `worker+1`, `web-1`. */
export interface ScaleChange {
  type: string;
  operator: '=' | '+' | '-';
  quantity: number;
}

export interface ProcessTypeView {
  type: string;
  command: string;
  quantity: number;
}

export interface Dynos {
  list(app: string): DynoView[];
  formation(app: string): ProcessTypeView[];
  /** Starts and stops only the difference. Returns the new formation. Throws `invalid` for an unknown type or a bad quantity. */
  scale(app: string, changes: ScaleChange[], user: string): Promise<ProcessTypeView[]>;
  /** Of all dynos, of one type (`web`) or of one dyno (`web.1`): each stops when the new one in its place is up. */
  restart(app: string, target: string | undefined, user: string): Promise<void>;
}

export interface LimitsView {
  /** A process type, or `run` for one-off dynos. */
  type: string;
  /** Bytes. */
  memory: number;
  /** Cores; undefined: as many as are free. */
  cpu: number | undefined;
}

export interface Limits {
  list(app: string): LimitsView[];
  /** Also for the dynos that run. Throws `invalid` for an unknown type or a value out of range. */
  set(app: string, type: string, change: DynoLimits, user: string): Promise<LimitsView[]>;
  /** Back to the defaults. Throws `invalid` for an unknown type. */
  clear(app: string, type: string, user: string): Promise<LimitsView[]>;
}

export interface PreviewView {
  /** Its name as an app. */
  app: string;
  branch: string;
  state: AppState;
  url: string;
  expiresAt: Date;
}

export interface Previews {
  /** Undefined: off. */
  settings(app: string): PreviewSettings | undefined;
  list(app: string): PreviewView[];
  on(app: string, settings: PreviewSettings, user: string): void;
  /** Removes them all. */
  off(app: string, user: string): Promise<void>;
}

export interface CanaryView {
  /** Percent of the visitors; undefined: releases go to all at once. */
  share: number | undefined;
  /** The release that they get; undefined: the next one. */
  release: number | undefined;
  /** Since it began, or the platform did. */
  requests: number;
  failed: number;
}

export interface Canaries {
  find(app: string): CanaryView;
  /** Percent, 1 to 99; undefined: off, and a canary that runs is given up. */
  set(app: string, share: number | undefined, user: string): Promise<void>;
  /** Returns the release's number. Throws `conflict` where there is no canary. */
  promote(app: string, user: string): Promise<number>;
  abort(app: string, user: string): Promise<number>;
}

export interface Idle {
  /** Seconds without a request after which the web dynos of an app go; undefined: they stay. */
  after(app: string): number | undefined;
  /** TCP and UDP ports that lead to its web dynos: while there are any these stay up, as no packet could wake them. */
  awakeFor(app: string): PortMapping[];
  set(app: string, seconds: number | undefined, user: string): Promise<void>;
}

/** An app's requests in the time up to now. */
export interface TrafficPeriod {
  /** e.g. `5 minutes` */
  name: string;
  seconds: number;
  requests: number;
  /** Status 400 to 499. */
  clientErrors: number;
  /** Status 500 and above. */
  serverErrors: number;
  /** Of bodies, to the clients. */
  bytes: number;
  /** Milliseconds that half, 95 % and 99 % of the requests took at most; undefined: there were none. */
  p50: number | undefined;
  p95: number | undefined;
  p99: number | undefined;
}

export interface TrafficMinute extends Omit<TrafficPeriod, 'name' | 'seconds'> {
  at: Date;
}

export interface Metrics {
  /** The last 5 minutes, hour, day and week. */
  periods(app: string): TrafficPeriod[];
  /** Those with requests, oldest first. */
  minutes(app: string, count: number): TrafficMinute[];
}

export interface Maintenance {
  isOn(app: string): boolean;
  /** `page`: HTML for the visitors, in place of the platform's own. */
  on(app: string, page: string | undefined, user: string): Promise<void>;
  off(app: string, user: string): Promise<void>;
}

export interface ReleaseView {
  version: number;
  description: string;
  user: string;
  createdAt: Date;
  commit: string | undefined;
  buildId: number | undefined;
  current: boolean;
  /** Its commands run, or its dynos boot. */
  pending: boolean;
  /** False for a release whose boot or release command failed: it never served. Nor for a canary. */
  succeeded: boolean;
  /** Some visitors get it. */
  canary: boolean;
  /** Some visitors got it, until it was given up. */
  givenUp: boolean;
  /** Why it failed, in words. */
  reason: string | undefined;
}

/** All that a release holds. */
export interface ReleaseInfo extends ReleaseView {
  image: string;
  /** Process type → command. */
  processes: Record<string, string>;
  config: Record<string, string>;
  /** What its release command said; '' where it has none. */
  output: string;
}

export interface ConfigVars {
  all(app: string): Record<string, string>;
  /** Makes a release and restarts the app; the release is undefined where the app has no code yet. Throws `invalid` for a bad name. */
  set(app: string, vars: Record<string, string>, user: string): Promise<ReleaseView | undefined>;
  unset(app: string, names: string[], user: string): Promise<ReleaseView | undefined>;
}

export interface Releases {
  /** Newest first. */
  list(app: string): ReleaseView[];
  /** One release with all that it holds; default: the current one. Throws `not_found`. */
  info(app: string, version: number | undefined): ReleaseInfo;
  /** Code and config of `version` (default: the release before the current one) as a new release. */
  rollback(app: string, version: number | undefined, user: string): Promise<ReleaseView>;
}

export type BuildState = 'queued' | 'building' | 'succeeded' | 'failed' | 'cancelled';

export interface BuildView {
  /** Unique on the platform. */
  id: number;
  app: string;
  state: BuildState;
  user: string;
  commit: string;
  createdAt: Date;
  finishedAt: Date | undefined;
  /** For a failed one: the reason in words. */
  reason: string | undefined;
  release: number | undefined;
  /** While it is queued: builds that run or wait before it. */
  ahead: number | undefined;
  /** In the order in which they ran. */
  stages: { name: string; milliseconds: number }[];
}

export interface Builds {
  /** Newest first; of one app, or of all. */
  list(app?: string): BuildView[];
  find(id: number): BuildView;
  /** The text that the pusher saw, from the beginning; with `follow` until the build ends. Chunks as they come. */
  output(id: number, options?: { follow?: boolean; signal?: AbortSignal }): AsyncIterable<string>;
  cancel(id: number, user: string): Promise<void>;
}

export interface LogLine {
  at: Date;
  /** `app`, `paas` */
  source: string;
  /** `web.1`, `router`, `api` */
  dyno: string;
  text: string;
}

export interface LogQuery {
  /** How many of the last lines; default 100. */
  lines?: number;
  follow?: boolean;
  /** Only of this process type. */
  type?: string;
  /** Only of this dyno. */
  dyno?: string;
  /** Only of this source (`app`, `paas`). */
  source?: string;
  signal?: AbortSignal;
}

export interface Logs {
  read(app: string, query: LogQuery): AsyncIterable<LogLine>;
}

/** One line of the audit trail. */
export interface PlatformEvent {
  id: number;
  at: Date;
  user: string;
  app: string | undefined;
  /** As the command that does it, e.g. `ps:scale`. */
  action: string;
  text: string;
}

export interface EventQuery {
  app?: string;
  /** How many of the last; default 100. */
  lines?: number;
  follow?: boolean;
  signal?: AbortSignal;
}

export interface Events {
  /** Oldest first. Apps that are gone are known, too. */
  read(query: EventQuery): AsyncIterable<PlatformEvent>;
}

export interface PushStreams {
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
}

/** A push that waits for another to the same branch; its build begins with its turn. */
export interface WaitingPush {
  app: string;
  user: string;
  /** e.g. `main` */
  branches: string[];
  since: Date;
}

export interface Pushes {
  /** To one app, or to all; in the order of their turns. */
  waiting(app?: string): WaitingPush[];
  /**
   * Runs `git receive-pack` for the app's repository on these streams (creating the app at the first push) and
   * resolves with git's exit status. The build runs inside (pre-receive hook). Abort: the client went away.
   * `protocol` is the client's GIT_PROTOCOL, if any.
   */
  receive(
    app: string,
    options: { user: string; streams: PushStreams; protocol?: string; signal: AbortSignal },
  ): Promise<number>;
  /** `git upload-pack`: clone and fetch of what was pushed. */
  upload(
    app: string,
    options: { user: string; streams: PushStreams; protocol?: string; signal: AbortSignal },
  ): Promise<number>;
}
