import type { AppCookie } from './app-cookie.ts';
import { type Canary, canaryCookie } from './canary.ts';
import type { AppRoute, DynoRoute, HttpsRoute } from './route-table.ts';
import { stickyCookie } from './sticky.ts';
import type { UpstreamPool } from './upstream-pool.ts';
import type { UpstreamPools } from './upstream-pools.ts';
import { VisitorRules } from './visitor-rules.ts';

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
  sticky: AppCookie | undefined;
  /** Where the search for the least busy dyno starts. */
  turn: number;
  canary: Canary | undefined;
}

export interface Dyno {
  name: string;
  pool: UpstreamPool;
}

/** `before`: what it was until now, which may go on counting. */
export function makeApp(
  route: AppRoute,
  { pools, before }: { pools: UpstreamPools; before: App | undefined },
): App {
  const { app: name, state, canary, https } = route;
  const app: App = {
    name,
    state,
    dynos: dynosOf(route.dynos, pools),
    page: bytesOf(route.page),
    errorPages: pagesOf(route.errorPages),
    rules: VisitorRules.of(route.rules, before?.rules),
    https,
    sticky: route.sticky && stickyCookie(name),
    turn: before?.turn ?? 0,
    canary: undefined,
  };
  if (canary) {
    const dynos = dynosOf(canary.dynos, pools);
    const cookie = before?.canary?.cookie ?? canaryCookie(name);
    app.canary = { ...canary, cookie, app: { ...app, dynos, turn: before?.canary?.app.turn ?? 0 } };
  }
  return app;
}

/** What comes by a port of the app's own: the same app, but for its dynos. */
export function appAtPort(
  app: App,
  { state, dynos }: Pick<AppRoute, 'state' | 'dynos'>,
  pools: UpstreamPools,
): App {
  return { ...app, state, dynos: dynosOf(dynos, pools), https: undefined, canary: undefined };
}

/** Its places in the route table are no more. */
export function retireApp({ dynos, canary }: App, pools: UpstreamPools): void {
  for (const { pool } of [...dynos, ...(canary?.app.dynos ?? [])]) pools.give(pool);
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

function dynosOf(routes: DynoRoute[], pools: UpstreamPools): Dyno[] {
  return routes.map(({ name, address, port }) => ({ name, pool: pools.take({ host: address, port }) }));
}

function bytesOf(page: string | undefined): string | undefined {
  return page === undefined ? undefined : Buffer.from(page).toString('latin1');
}

function pagesOf(pages: AppRoute['errorPages']): Map<number, string> | undefined {
  if (!pages) return undefined;
  return new Map(Object.entries(pages).map(([status, page]) => [Number(status), bytesOf(page)!]));
}
