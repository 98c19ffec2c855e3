import type { Canary } from './canary.ts';
import type { AppRoute, RouteTable } from './route-table.ts';
import { UpstreamPool } from './upstream-pool.ts';
import { WakeCalls } from './wake-calls.ts';

/** Where requests for one host go. */
export type Target = { kind: 'app'; app: App } | { kind: 'dashboard'; pool: UpstreamPool };

/** An app's part of the route table. */
export interface App {
  name: string;
  state: AppRoute['state'];
  dynos: Dyno[];
  /** HTML for H80 in its bytes: latin1. */
  page: string | undefined;
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
  #table: RouteTable | undefined;
  #targets = new Map<string, Target>();
  /** By address, those that are retired but still busy among them. */
  readonly #pools = new Map<string, UpstreamPool>();
  readonly #waiting = new Set<() => void>();

  constructor(options: { maxIdle: number }) {
    this.#maxIdle = options.maxIdle;
  }

  /** No table has come yet. */
  get isEmpty(): boolean {
    return this.#table === undefined;
  }

  find(host: string): Target | undefined {
    return this.#targets.get(host);
  }

  /** Puts a table in the place of the one in use; whoever waits for a change is told. */
  swap(table: RouteTable): void {
    const before = this.#targets;
    const targets = new Map<string, Target>();
    const used = new Set<UpstreamPool>();
    const poolOf = (key: string, make: () => UpstreamPool) => {
      const pool = this.#pools.get(key) ?? make();
      this.#pools.set(key, pool);
      used.add(pool);
      return pool;
    };
    for (const route of table.apps) {
      const app = this.#appOf(route, poolOf);
      for (const host of route.hosts) {
        const old = before.get(host);
        if (old?.kind === 'app') app.turn = old.app.turn;
        targets.set(host, { kind: 'app', app });
      }
    }
    const path = table.dashboard.socketPath;
    const pool = poolOf(path, () => new UpstreamPool({ path }, { maxIdle: this.#maxIdle }));
    targets.set(table.dashboard.host, { kind: 'dashboard', pool });

    this.#targets = targets;
    this.#table = table;
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

  #appOf(route: AppRoute, poolOf: (key: string, make: () => UpstreamPool) => UpstreamPool): App {
    const dynos = route.dynos.map(({ name, address, port }) => ({
      name,
      pool: poolOf(
        keyOf(address, port),
        () => new UpstreamPool({ host: address, port }, { maxIdle: this.#maxIdle }),
      ),
    }));
    const { app: name, state, canary } = route;
    const app = { name, state, dynos, page: bytesOf(route.page), turn: 0 };
    return {
      ...app,
      canary: canary && {
        ...canary,
        app: this.#appOf({ app: name, hosts: [], state, dynos: canary.dynos }, poolOf),
      },
    };
  }

  #retireAllBut(used: Set<UpstreamPool>): void {
    for (const pool of this.#pools.values()) {
      pool.retired = !used.has(pool);
      if (pool.retired) pool.closeIdle();
    }
  }
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
