import type { Readable, Writable } from 'node:stream';
import type { CronEntry } from './model/cron-entry.ts';
import type { DynoLimits } from './model/dyno-limits.ts';
import type { PortMapping } from './model/port-mapping.ts';
import type { PreviewSettings } from './model/preview-settings.ts';
import type { VisitorSettings } from './model/visitor-settings.ts';
import type { Checks } from './platform/checks.ts';
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
  /** Rolling restart of all dynos, of one type (`web`) or of one dyno (`web.1`). */
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
  /** Back to the defaults. */
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

/** In the order in which code passes through them. */
export const PIPELINE_STAGES = ['development', 'staging', 'production'] as const;
export type PipelineStage = (typeof PIPELINE_STAGES)[number];

export interface PipelineView {
  name: string;
  /** In order; only those that have apps. */
  stages: { stage: PipelineStage; apps: { app: string; release: number | undefined }[] }[];
}

export interface Promotion {
  to: string;
  user: string;
  /** Gets what a release command says. */
  write: (text: string) => void;
  signal: AbortSignal;
}

export interface Pipelines {
  list(): PipelineView[];
  /** Throws `not_found`. */
  find(name: string): PipelineView;
  /** Throws `conflict` for an app that is in one already. */
  add(pipeline: string, app: string, stage: PipelineStage, user: string): PipelineView;
  remove(app: string, user: string): void;
  /** The apps of the stage after this app's. */
  targets(app: string): string[];
  /** The app's current code as a release of a target, with the target's config. Throws as a deploy does. */
  promote(app: string, promotion: Promotion): Promise<void>;
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
  /** False for a release whose boot or release command failed: it never served. Nor for a canary. */
  succeeded: boolean;
  /** Some visitors get it. */
  canary: boolean;
  /** Some visitors got it, until it was given up. */
  givenUp: boolean;
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

export interface DomainView {
  /** In punycode; `*.example.com`: every name below that no app has for itself. */
  hostname: string;
  /** e.g. `/api`: only what is below; '': all of it. */
  path: string;
  /** The app sees `/` in place of the path. */
  strip: boolean;
  /** TLS for the host goes to this port of the web dynos unread; undefined: the router speaks it. */
  passthrough: number | undefined;
  /** True for `<app>.<PAAS_DOMAIN>`, which cannot be removed. */
  builtIn: boolean;
}

export interface DomainOptions {
  strip?: boolean;
  /** A port. */
  passthrough?: number;
  user: string;
}

export interface Domains {
  list(app: string): DomainView[];
  /** `domain`: `www.example.com`, `*.example.com` or `example.com/api`. Throws `invalid` for what is none, `conflict` where an app has it. */
  add(app: string, domain: string, options: DomainOptions): Promise<void>;
  remove(app: string, domain: string, user: string): Promise<void>;
}

export interface RedirectView {
  /** As in DomainView. */
  hostname: string;
  /** `example.com` or `https://example.com`; the visitor's path comes behind it. */
  to: string;
  /** 301, 302, 307 or 308. */
  status: number;
}

export interface Redirects {
  list(app: string): RedirectView[];
  /** Throws `invalid` for what is no host name or no such status, `conflict` where an app has the host name. */
  add(
    app: string,
    redirect: { from: string; to: string; status: number },
    user: string,
  ): Promise<RedirectView>;
  remove(app: string, from: string, user: string): Promise<void>;
}

export interface PortView extends PortMapping {
  /** Why it leads nowhere; undefined: it does. */
  problem: string | undefined;
}

/** Ports of the machine that lead to dynos, beside the router's. */
export interface Ports {
  list(app: string): PortView[];
  /** Throws `invalid` for an unknown process type, `conflict` for a port that an app, the platform or another program has. */
  add(app: string, mapping: PortMapping, user: string): Promise<void>;
  remove(app: string, port: Pick<PortMapping, 'protocol' | 'port'>, user: string): Promise<void>;
}

/** Whom the router lets through to an app, and how. */
export interface Visitors {
  find(app: string): VisitorSettings;
  /** Adds to the list of those who may come in; with the first, all others may not. Throws `invalid` for what is no address or CIDR. */
  allow(app: string, ranges: string[], user: string): Promise<VisitorSettings>;
  /** Takes from the list; `all`: everybody may come in again. Throws `not_found` for one that is not on it. */
  disallow(app: string, ranges: string[] | 'all', user: string): Promise<VisitorSettings>;
  /** Replaces the password of a name that is there. */
  setPassword(app: string, login: { name: string; password: string }, user: string): Promise<void>;
  /** With the last one, no password is asked for any more. Throws `not_found`. */
  removeLogin(app: string, name: string, user: string): Promise<void>;
  /** undefined: none. */
  setRate(app: string, rate: VisitorSettings['rate'], user: string): Promise<void>;
  setSticky(app: string, on: boolean, user: string): Promise<void>;
  /** HTML in place of the router's own page; undefined: that again. Throws `invalid` for a status that has none. */
  setErrorPage(app: string, page: { status: number; html: string | undefined }, user: string): Promise<void>;
}

/** What a certificate says. */
export interface CertificateFacts {
  /** The names it is good for, e.g. `*.example.com`. */
  hosts: string[];
  /** Who signed it, e.g. `R11 (Let's Encrypt)`. */
  issuer: string;
  /** In hexadecimal digits. */
  serialNumber: string;
  /** SHA-256: `AB:CD:…` */
  fingerprint: string;
  notBefore: Date;
  notAfter: Date;
}

/** One host name of an app, or of the platform, and the certificate that its visitors see. */
export interface HostCertificate {
  /** As in DomainView. */
  hostname: string;
  /**
   * own: the app's. platform: the platform's own. automatic: from the certificate authority of PAAS_ACME_DIRECTORY. none: there is none (yet).
   * unused: given by the app, and shown for no host.
   */
  kind: 'own' | 'platform' | 'automatic' | 'none' | 'unused';
  certificate: CertificateFacts | undefined;
  /** Why there is none, why the last try to get one failed, or what is wrong with it. In words. */
  problem: string | undefined;
  /** When one is ordered or renewed next; undefined: never. */
  nextOrder: Date | undefined;
}

/** Of an app, or (app undefined) of the platform: for the dashboard and all names below PAAS_DOMAIN. */
export interface Certificates {
  list(app: string | undefined): HostCertificate[];
  /**
   * `pem`: key and certificates, in any order. Takes the place of one with the same names. Returns the hosts that have it now. Throws `invalid`
   * for what cannot be shown to visitors, `conflict` for one that is good for no host of the app.
   */
  add(app: string | undefined, pem: string, user: string): Promise<HostCertificate[]>;
  /** The own certificate that is shown for a host, or has it among its names. Throws `not_found`. */
  remove(app: string | undefined, hostname: string, user: string): Promise<void>;
  /** Whether certificates are ordered for the app's hosts, if the platform knows where. */
  isAutomatic(app: string): boolean;
  setAutomatic(app: string, on: boolean, user: string): Promise<void>;
  /**
   * Orders them now: of one host, or of all whose certificates come by themselves. `force`: also in place of one that has time. Returns those hosts.
   * Throws `conflict` for one too many, `unavailable` where none came, with what the authority said.
   */
  renew(
    app: string | undefined,
    options: { hostname: string | undefined; force: boolean; user: string },
  ): Promise<HostCertificate[]>;
}

export interface HttpsSettings {
  /** HTTP leads to HTTPS, on hosts that have a certificate. */
  redirect: boolean;
  /** Seconds for which browsers come by HTTPS alone (RFC 6797); 0: no longer; undefined: the router does not say. */
  hsts: number | undefined;
}

export interface Https {
  find(app: string): HttpsSettings;
  setRedirect(app: string, on: boolean, user: string): Promise<void>;
  /** Throws `invalid` for over ten years. */
  setHsts(app: string, seconds: number | undefined, user: string): Promise<void>;
}

export interface KeyView {
  /** The user whom the key names. */
  user: string;
  /** `SHA256:…` as ssh-keygen prints it. */
  fingerprint: string;
  comment: string;
  createdAt: Date;
  lastUsedAt: Date | undefined;
}

export interface Keys {
  list(): KeyView[];
  /** `publicKey` is one line as in authorized_keys. Throws `invalid` for what is no key, `conflict` for one that is there. */
  add(user: string, publicKey: string, by: string): KeyView;
  /** By fingerprint or by user name (all keys of that user). Ends their sessions. Throws `conflict` for the last key. */
  remove(fingerprintOrUser: string, by: string): KeyView[];
  /** The user and key of a public key blob (ssh wire format), if it may sign in. */
  authenticate(blob: Buffer): { user: string; fingerprint: string } | undefined;
  /** Notes that a signed sign-in with this key succeeded. */
  touch(fingerprint: string): void;
}

export interface Session {
  user: string;
  /** A value for forms of this session (second line of defence behind Sec-Fetch-Site / Origin). */
  csrf: string;
}

export interface Sessions {
  /** A one-use token, valid for five minutes, for `GET /login/<token>` on the dashboard. Stored hashed. */
  createLoginToken(user: string, fingerprint: string): string;
  /** Who would sign in; does not use the token up. */
  peekLoginToken(token: string): { user: string } | undefined;
  /** Uses the token up; returns the opaque session id for the cookie. */
  redeemLoginToken(token: string): { id: string; session: Session } | undefined;
  find(id: string): Session | undefined;
  end(id: string): void;
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

export interface TerminalSize {
  rows: number;
  columns: number;
}

export interface RunOptions {
  /** argv as the user gave it, joined by spaces and given to a shell inside the dyno; a Procfile type's name runs its command. */
  command: string;
  user: string;
  /** Present: with a terminal. */
  terminal?: TerminalSize & { term: string };
  env?: Record<string, string>;
}

/** A one-off dyno that a client is attached to. */
export interface RunSession {
  dyno: string;
  stdin: Writable;
  /** With a terminal everything comes here. */
  stdout: Readable;
  stderr: Readable;
  resize(size: TerminalSize): void;
  /** Sends a signal by name (`SIGINT`) to the dyno's processes. */
  signal(name: string): void;
  /** The exit status; 128+n for a signal. The dyno and its file system are gone when this resolves. */
  exited: Promise<number>;
  /** The client went away: SIGHUP, then SIGKILL. */
  hangUp(): void;
}

/** A one-off dyno that runs. */
export interface RunView {
  app: string;
  /** `run.4711` */
  name: string;
  command: string;
  user: string;
  release: number;
  since: Date;
}

export interface Runs {
  start(app: string, options: RunOptions): Promise<RunSession>;
  /** In the background: output to the app's log. `timeLimit`: seconds after which it is stopped. */
  detach(app: string, options: { command: string; user: string; timeLimit?: number }): Promise<RunView>;
  /** Oldest first. */
  list(app: string): RunView[];
  /** SIGTERM, then SIGKILL. Resolves when it has ended. Throws `not_found`. */
  stop(app: string, dyno: string, user: string): Promise<void>;
}

export interface CronJobView extends CronEntry {
  /** e.g. `1a2b3c4d`; the same command at the same times has the same in every release. */
  id: string;
  source: 'app.json' | 'command';
  suspended: boolean;
  next: Date | undefined;
  /** `status` is undefined while it runs. */
  last: { at: Date; dyno: string; status: number | undefined } | undefined;
}

export interface Cron {
  list(app: string): CronJobView[];
  /** Throws `invalid` for what is no schedule, `conflict` for a job that is there. */
  add(app: string, entry: CronEntry, user: string): CronJobView;
  /** Throws `conflict` for a job of app.json. */
  remove(app: string, id: string, user: string): void;
  /** Now, beside its schedule. */
  run(app: string, id: string, user: string): Promise<RunView>;
  setSuspended(app: string, id: string, suspended: boolean, user: string): void;
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
