import type { Canary } from './canary.ts';
import { HostMap, type Place } from './host-map.ts';
import type { AppRoute, HttpsRoute, RouteTable } from './route-table.ts';
import { StickyCookie } from './sticky.ts';
import { TlsTable } from './tls-table.ts';
import { UpstreamPool } from './upstream-pool.ts';
import { VisitorRules } from './visitor-rules.ts';
import { WakeCalls } from './wake-calls.ts';

/** Where requests for one host, or a part of one, go. */
export type Target =
  | { kind: 'app'; app: App /** What the app does not see of the path; '': it sees all. */; prefix: string }
  | { kind: 'redirect'; app: App; to: string; status: number }
  | { kind: 'dashboard'; pool: UpstreamPool }
  | { kind: 'nobody' };

/** An app's part of the route table. */
export interface App {
  name: string;
  state: AppRoute['state'];
  dynos: Dyno[];
  /** HTML for H80 in its bytes: latin1. */
  page: string | undefined;
  /** The same for errors, by status; undefined: none. */
  errorPages: Map<number, string> | undefined;
  /** Whom the router lets in; undefined: everybody. */
  rules: VisitorRules | undefined;
  /** undefined: HTTP is as good. */
  https: HttpsRoute | undefined;
  /** Says which dyno a visitor stays with; undefined: any. */
  sticky: StickyCookie | undefined;
  /** Where the search for the least busy dyno starts. */
  turn: number;
  canary: Canary | undefined;
}

export interface Dyno {
  name: string;
  pool: UpstreamPool;
}

/** The route table in use. A swap takes effect at once for whatever is routed after it. */
export class RouteMap {
  /** Sleeping apps that somebody asked for. */
  readonly wakes = new WakeCalls();
  readonly #maxIdle: number;
  #isEmpty = true;
  #hosts = new HostMap<Target>();
  #tls = new TlsTable();
  #apps = new Map<string, App>();
  /** By address, those that are retired but still busy among them. */
  readonly #pools = new Map<string, UpstreamPool>();
  readonly #waiting = new Set<() => void>();

  constructor(options: { maxIdle: number }) {
    this.#maxIdle = options.maxIdle;
  }

  /** No table has come yet. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** `target`: the path of the request, with its query. */
  find(host: string, target: string): Target | undefined {
    return this.#hosts.find(host, target);
  }

  /** Whether both hosts lead to the same app, or to the dashboard. */
  isSame(host: string, other: string, target: string): boolean {
    const [one, two] = [this.find(host, target), this.find(other, target)];
    if (one === two) return true;
    return one !== undefined && two !== undefined && 'app' in one && 'app' in two && one.app === two.app;
  }

  /** Certificates, and what else is about TLS. */
  get tls(): TlsTable {
    return this.#tls;
  }

  /** Puts a table in the place of the one in use; whoever waits for a change is told. */
  swap(table: RouteTable): void {
    const hosts = new HostMap<Target>();
    const apps = new Map<string, App>();
    const used = new Set<UpstreamPool>();
    for (const route of table.apps) {
      const app = this.#appOf(route, used);
      apps.set(route.app, app);
      for (const place of placesOf(route, app)) hosts.set(place);
    }
    const { host, socketPath } = table.dashboard;
    const pool = this.#pool(socketPath, { path: socketPath }, used);
    hosts.set({ host, path: '', value: { kind: 'dashboard', pool } });
    // No app's wildcard has the names beside the dashboard's, which are the platform's.
    hosts.set({ host: host.replace(/^[^.]*/, '*'), path: '', value: { kind: 'nobody' } });

    this.#tls = new TlsTable(table, apps);
    this.#hosts = hosts;
    this.#apps = apps;
    this.#isEmpty = false;
    this.#retireAllBut(used);
    for (const wake of [...this.#waiting]) wake();
  }

  /** Calls `wake` at the next swap; returns how to stop waiting. */
  waitForChange(wake: () => void): () => void {
    const once = () => {
      this.#waiting.delete(once);
      wake();
    };
    this.#waiting.add(once);
    return () => this.#waiting.delete(once);
  }

  /** The pools of these addresses, as far as they are known. */
  pools(addresses: { address: string; port: number }[]): UpstreamPool[] {
    return addresses.flatMap(({ address, port }) => this.#pools.get(keyOf(address, port)) ?? []);
  }

  /** How many requests each server is busy with, those without any left out. */
  inFlight(): { server: string; inFlight: number }[] {
    return [...this.#pools]
      .filter(([, pool]) => pool.inFlight > 0)
      .map(([server, { inFlight }]) => ({ server, inFlight }));
  }

  closeIdle(): void {
    for (const pool of this.#pools.values()) pool.closeIdle();
  }

  sweep(now: number): void {
    for (const [key, pool] of this.#pools) {
      pool.sweep(now);
      if (pool.retired && pool.inFlight === 0) this.#pools.delete(key);
    }
  }

  #appOf(route: AppRoute, used: Set<UpstreamPool>): App {
    const before = this.#apps.get(route.app);
    const { canary, ...stable } = route;
    const { app: name, state } = route;
    const dynos = route.dynos.map(({ name, address, port }) => ({
      name,
      pool: this.#pool(`${address}:${port}`, { host: address, port }, used),
    }));
    return {
      name,
      state,
      dynos,
      page: bytesOf(route.page),
      errorPages: pagesOf(route.errorPages),
      rules: VisitorRules.of(route.rules, before?.rules),
      https: route.https,
      sticky: route.sticky && new StickyCookie(name),
      turn: before?.turn ?? 0,
      canary: canary && {
        ...canary,
        app: this.#appOf({ ...stable, dynos: canary.dynos }, used),
      },
    };
  }

  #pool(key: string, address: UpstreamPool['address'], used: Set<UpstreamPool>): UpstreamPool {
    const pool = this.#pools.get(key) ?? new UpstreamPool(address, { maxIdle: this.#maxIdle });
    this.#pools.set(key, pool);
    used.add(pool);
    return pool;
  }

  #retireAllBut(used: Set<UpstreamPool>): void {
    for (const pool of this.#pools.values()) {
      pool.retired = !used.has(pool);
      if (pool.retired) pool.closeIdle();
    }
  }
}

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

/** The app's own page in place of the router's, for an error with this code and status. */
export function errorPage(
  { page, errorPages }: App,
  code: string | undefined,
  status: number,
): string | undefined {
  return (code === 'H80' ? page : undefined) ?? errorPages?.get(status);
}

/** The least busy dyno that is not in `tried`; those equally busy take turns. */
export function pickDyno(
  app: App,
  options: { tried: Set<UpstreamPool> | undefined; now: number },
): Dyno | undefined {
  const { dynos } = app;
  let best: Dyno | undefined;
  let bestAt = 0;
  let bestLoad = Number.POSITIVE_INFINITY;
  for (let i = 0; i < dynos.length; i++) {
    const at = (app.turn + i) % dynos.length;
    const dyno = dynos[at]!;
    if (options.tried?.has(dyno.pool)) continue;
    const load = dyno.pool.inFlight + (dyno.pool.health.isAvoided(options.now) ? AVOIDED : 0);
    if (load >= bestLoad) continue;
    best = dyno;
    bestAt = at;
    bestLoad = load;
  }
  if (best) app.turn = bestAt + 1;
  return best;
}

const AVOIDED = 1_000_000;

function keyOf(address: string, port: number): string {
  return `${address}:${port}`;
}

function bytesOf(page: string | undefined): string | undefined {
  return page === undefined ? undefined : Buffer.from(page).toString('latin1');
}

function pagesOf(pages: AppRoute['errorPages']): Map<number, string> | undefined {
  if (!pages) return undefined;
  return new Map(Object.entries(pages).map(([status, page]) => [Number(status), bytesOf(page)!]));
}
