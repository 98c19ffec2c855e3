import { type App, appAtPort, makeApp, retireApp } from './app.ts';
import { HostMap, type Place } from './host-map.ts';
import { RouteTableError } from './parse-value.ts';
import type { RateLimit } from './rate-limit.ts';
import type { AppRoute, RouteChange, RouteTable } from './route-table.ts';
import { TlsTable } from './tls-table.ts';
import type { UpstreamPool } from './upstream-pool.ts';
import { UpstreamPools } from './upstream-pools.ts';
import { WakeCalls } from './wake-calls.ts';

/** Where requests for one host, or a part of one, go. */
export type Target =
  | { kind: 'app'; app: App /** What the app does not see of the path; '': it sees all. */; prefix: string }
  | { kind: 'redirect'; app: App; to: string; status: number }
  | { kind: 'dashboard'; pool: UpstreamPool }
  | { kind: 'nobody' };

/** What became of an app's route. */
interface Entry {
  route: AppRoute;
  app: App;
  /** By ports of the app's own. */
  atPorts: Map<number, App>;
}

/** The route table in use. A change takes effect at once for whatever is routed after it. */
export class RouteMap {
  /** Sleeping apps that somebody asked for. */
  readonly wakes = new WakeCalls();
  readonly upstreams: UpstreamPools;
  #table: Omit<RouteTable, 'apps'> | undefined;
  #entries = new Map<string, Entry>();
  #hosts = new HostMap<Target>();
  #tls = new TlsTable();
  #ports = new Map<number, Target>();
  #dashboard: UpstreamPool | undefined;
  readonly #waiting = new Set<() => void>();
  readonly #followers: (() => void)[] = [];

  constructor(options: { maxIdle: number }) {
    this.upstreams = new UpstreamPools(options);
  }

  /** No table has come yet. */
  get isEmpty(): boolean {
    return this.#table === undefined;
  }

  /** The table in use, with all changes; undefined: none has come yet. */
  get table(): RouteTable | undefined {
    return this.#table && { ...this.#table, apps: [...this.#entries.values()].map(({ route }) => route) };
  }

  /** Certificates, and what else is about TLS. */
  get tls(): TlsTable {
    return this.#tls;
  }

  /** Where apps are to be had beside the router's own port. */
  get ports(): ReadonlyMap<number, Target> {
    return this.#ports;
  }

  /** `target`: the path of the request, with its query. */
  find(host: string, target: string): Target | undefined {
    return this.#hosts.find(host, target);
  }

  /** The rate limits there are, by app. */
  *rates(): Iterable<[app: string, rate: RateLimit]> {
    for (const [name, { app }] of this.#entries) if (app.rules?.rate) yield [name, app.rules.rate];
  }

  /** Of one app; undefined: it has none. */
  rate(app: string): RateLimit | undefined {
    return this.#entries.get(app)?.app.rules?.rate;
  }

  /** Whether both hosts lead to the same app, or to the dashboard. */
  isSame(host: string, other: string, target: string): boolean {
    const [one, two] = [this.find(host, target), this.find(other, target)];
    if (one === two) return true;
    return one !== undefined && two !== undefined && 'app' in one && 'app' in two && one.app === two.app;
  }

  /** Puts a table in the place of the one in use; whoever waits for a change is told. */
  swap(table: RouteTable): void {
    const { apps, ...rest } = table;
    const before = this.#entries;
    this.#hosts = new HostMap();
    this.#ports = new Map();
    this.#entries = new Map(apps.map((route) => [route.app, this.#add(route, before.get(route.app))]));
    this.#addDashboard(table.dashboard);
    this.#tls = new TlsTable(table, (app) => this.#entries.get(app)!.app);
    for (const entry of before.values()) this.#retire(entry);
    this.#table = rest;
    this.#tell();
  }

  /**
   * Puts some apps' routes in the place of theirs: as a swap, at a cost that does not grow with the table. Throws RouteTableError for a
   * change of another table, or one that takes what another app has; nothing has changed then.
   */
  change({ from, to, apps, gone }: RouteChange): void {
    if (!this.#table || this.#table.revision !== from) throw new StaleChange('Another table is in use.');
    const names = new Set([...gone, ...apps.map(({ app }) => app)]);
    this.#refuseTaken(apps, names);
    const before = [...names].flatMap((name) => this.#entries.get(name) ?? []);
    for (const entry of before) this.#remove(entry);
    for (const name of gone) this.#entries.delete(name);
    for (const route of apps) {
      const old = before.find((entry) => entry.route.app === route.app);
      this.#entries.set(route.app, this.#add(route, old));
    }
    for (const entry of before) this.#retire(entry);
    this.#table = { ...this.#table, revision: to };
    if ([...apps, ...before.map(({ route }) => route)].some(({ passthrough }) => passthrough))
      this.#tls = new TlsTable(this.table, (app) => this.#entries.get(app)!.app);
    this.#tell();
  }

  /** Calls `wake` at the next change; returns how to stop waiting. */
  waitForChange(wake: () => void): () => void {
    const once = () => {
      this.#waiting.delete(once);
      wake();
    };
    this.#waiting.add(once);
    return () => this.#waiting.delete(once);
  }

  /** Calls back after every change. */
  follow(onChange: () => void): void {
    this.#followers.push(onChange);
  }

  #add(route: AppRoute, before: Entry | undefined): Entry {
    const pools = this.upstreams;
    const app = makeApp(route, { pools, before: before?.app });
    const atPorts = new Map<number, App>();
    for (const place of placesOf(route, app)) this.#hosts.set(place);
    for (const { port, ...at } of route.ports ?? []) {
      const own = appAtPort(app, at, pools);
      atPorts.set(port, own);
      this.#ports.set(port, { kind: 'app', app: own, prefix: '' });
    }
    return { route, app, atPorts };
  }

  #remove({ route, atPorts }: Entry): void {
    for (const { host, path } of spotsOf(route)) this.#hosts.delete(host, path);
    for (const port of atPorts.keys()) this.#ports.delete(port);
  }

  #retire({ app, atPorts }: Entry): void {
    for (const one of [app, ...atPorts.values()]) retireApp(one, this.upstreams);
  }

  #addDashboard({ host, socketPath }: RouteTable['dashboard']): void {
    const pool = this.upstreams.take({ path: socketPath });
    if (this.#dashboard) this.upstreams.give(this.#dashboard);
    this.#dashboard = pool;
    this.#hosts.set({ host, path: '', value: { kind: 'dashboard', pool } });
    // No app's wildcard has the names beside the dashboard's, which are the platform's.
    this.#hosts.set({ host: host.replace(/^[^.]*/, '*'), path: '', value: { kind: 'nobody' } });
  }

  #refuseTaken(apps: AppRoute[], names: Set<string>): void {
    const isFree = (target: Target | undefined) =>
      target === undefined || ('app' in target && names.has(target.app.name));
    for (const route of apps) {
      for (const { host, path } of spotsOf(route)) {
        if (!isFree(this.#hosts.get(host, path)))
          throw new RouteTableError(`The host "${host}${path}" is another app's.`);
      }
      for (const { port } of route.ports ?? []) {
        if (!isFree(this.#ports.get(port))) throw new RouteTableError(`The port ${port} is another app's.`);
      }
    }
  }

  #tell(): void {
    for (const wake of [...this.#waiting]) wake();
    for (const onChange of this.#followers) onChange();
  }
}

/** A change of a table that is not in use: the whole table is needed. */
export class StaleChange extends Error {}

function placesOf(route: AppRoute, app: App): Place<Target>[] {
  const whole: Target = { kind: 'app', app, prefix: '' };
  return [
    ...route.hosts.map((host) => ({ host, path: '', value: whole })),
    ...(route.paths ?? []).map(({ host, path, strip }): Place<Target> => {
      return { host, path, value: strip ? { kind: 'app', app, prefix: path } : whole };
    }),
    ...(route.redirects ?? []).map(({ host, to, status }): Place<Target> => {
      return { host, path: '', value: { kind: 'redirect', app, to, status } };
    }),
  ];
}

/** The same without what is there. */
function spotsOf({ hosts, paths = [], redirects = [] }: AppRoute): { host: string; path: string }[] {
  return [
    ...paths,
    ...[...hosts.map((host) => ({ host })), ...redirects].map(({ host }) => ({ host, path: '' })),
  ];
}
