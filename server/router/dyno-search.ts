import { type App, type Dyno, errorPage, pickDyno } from './app.ts';
import type { AppCookie } from './app-cookie.ts';
import { type Canary, chooseSide } from './canary.ts';
import { type Answer, dashboardAway, redirection, unknownHost } from './error-page.ts';
import type { Exchange } from './exchange.ts';
import { redirectLocation, secureLocation, stripPrefix } from './path-prefix.ts';
import type { RequestRelay } from './request-relay.ts';
import type { Target } from './route-map.ts';
import type { RouterContext } from './router-context.ts';
import { CHALLENGE_PATH } from './tls-table.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamPool } from './upstream-pool.ts';
import type { VisitorRules } from './visitor-rules.ts';

/**
 * Finds a connection for one request, and counts it where it is:
 *
 *   idle ──► (kept connection) ──────────► reached
 *    │ ▲ └─► connecting ─────────────────────┘
 *    ▼ └──────── │  refused, too slow: the next dyno
 *   waiting ◄────┘  no dyno yet; the dashboard restarts; a password is being checked
 */
export class DynoSearch {
  app: App | undefined;
  /** Name of the dyno that was chosen last. */
  dyno: string | undefined;
  /** Milliseconds; undefined: none was reached yet. */
  connectTime: number | undefined;
  /** A field line for the response; '': none. */
  setCookie = '';
  readonly #router: RouterContext;
  readonly #exchange: Exchange;
  readonly #request: RequestRelay;
  #state: 'idle' | 'asking' | 'waiting' | 'connecting' | 'reached' = 'idle';
  /** The app's rules let this request in. */
  #admitted = false;
  #prefix = '';
  #pool: UpstreamPool | undefined;
  #connection: UpstreamConnection | undefined;
  #connectStart = 0;
  /** When it began to wait, of the first time. */
  #waitStart: number | undefined;
  #stopWaiting: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Dynos that could not be connected to. */
  #tried: Set<UpstreamPool> | undefined;
  #connectError: 'H19' | 'H21' = 'H21';
  #onlyFresh = false;
  #hasLeft = false;

  constructor(router: RouterContext, options: { exchange: Exchange; request: RequestRelay }) {
    this.#router = router;
    this.#exchange = options.exchange;
    this.#request = options.request;
  }

  /** Tells the exchange when there is a connection, or that there will be none. */
  start(): void {
    const { head, entrance } = this.#request;
    const { routes } = this.#router;
    const target = entrance.isOwn ? routes.ports.get(entrance.port) : routes.find(head.host, head.target);
    if (!target || target.kind === 'nobody') {
      if (routes.isEmpty) this.#wait();
      else this.#exchange.answer(unknownHost);
    } else if (target.kind === 'dashboard') {
      this.app = undefined;
      this.#reach(target.pool);
    } else {
      this.app = target.app;
      if (target.kind === 'redirect') this.#redirect(target);
      else if (target.app.https?.redirect && this.#leadToHttps()) return;
      else if (target.app.rules && !this.#admitted) this.#ask(target.app.rules);
      else {
        if (target.prefix !== '') this.#strip(target.prefix);
        this.#chooseDyno(target.app);
      }
    }
  }

  /** Once more, on a connection of its own: the one that was kept is lost. */
  startAfresh(): void {
    this.#onlyFresh = true;
    this.#leavePool();
    this.start();
  }

  /**
   * Whether another dyno can be asked in place of the one that closed the connection without a word; asks that one no more. Once: a
   * request that ends dynos must not end all of them.
   */
  leaveDyno(): boolean {
    const pool = this.#pool!;
    const isOther = (dyno: Dyno) => dyno.pool !== pool && !this.#tried?.has(dyno.pool);
    if (this.#hasLeft || !this.app || this.app.canary || !this.app.dynos.some(isOther)) return false;
    pool.health.failed(this.#router.clock.now);
    this.#tried ??= new Set();
    this.#tried.add(pool);
    this.#hasLeft = true;
    return true;
  }

  connected(): void {
    this.connectTime = performance.now() - this.#connectStart;
    this.#reached(this.#connection!);
  }

  connectFailed(code: 'H19' | 'H21'): void {
    const pool = this.#pool!;
    this.#connection?.destroy();
    this.#leavePool();
    if (this.app) {
      pool.health.unreachable(this.#router.clock.now);
      this.#tried ??= new Set();
      this.#tried.add(pool);
      this.#connectError = code;
      this.start();
      return;
    }
    this.#waitStart ??= this.#connectStart;
    if (performance.now() - this.#waitStart > this.#router.limits.dashboard) {
      this.#exchange.answer(dashboardAway);
      return;
    }
    this.#state = 'waiting';
    this.#retry = setTimeout(() => this.start(), DASHBOARD_RETRY);
  }

  tick(now: number): void {
    const { limits } = this.#router;
    if (this.#state === 'connecting') {
      if (performance.now() - this.#connectStart > limits.connect) this.connectFailed('H19');
    } else if (this.#state === 'waiting') {
      const waited = now - this.#waitStart!;
      if (this.app) {
        if (waited > limits.booting) this.#exchange.fail('H20');
      } else if (waited > limits.dashboard) {
        this.#exchange.answer(dashboardAway);
      }
    }
  }

  /** The response is whole. `idle`: how long its connection may be kept, in milliseconds. */
  done(connection: UpstreamConnection, idle: number): void {
    const pool = this.#pool!;
    pool.health.answered();
    pool.release(connection, { now: this.#router.clock.now, idle });
    this.#leavePool();
  }

  /** The dyno that was reached did not do its part. */
  blame(): void {
    this.#pool?.health.failed(this.#router.clock.now);
  }

  /** Gives up whatever it does. */
  end(): void {
    this.#connection?.destroy();
    this.#stopWaiting?.();
    clearTimeout(this.#retry);
    this.#leavePool();
    this.#state = 'idle';
  }

  /** The field that an app's visitors get on HTTPS, unless the app sends its own; '': none. `head`: of the response. */
  hsts(head: string): string {
    const age = this.app?.https?.hsts;
    if (age === undefined || /\r\nstrict-transport-security:/i.test(head)) return '';
    return `Strict-Transport-Security: max-age=${age}\r\n`;
  }

  /** Answers who came by HTTP to a host that has HTTPS; true: it did. Other methods than GET keep theirs. */
  #leadToHttps(): boolean {
    const { head, entrance } = this.#request;
    const { httpsPort, routes } = this.#router;
    if (entrance.scheme === 'https' || httpsPort === undefined || head.target.startsWith(CHALLENGE_PATH))
      return false;
    if (!routes.tls.covers(head.host)) return false;
    const status = head.method === 'GET' || head.method === 'HEAD' ? 301 : 308;
    this.#exchange.answer(redirection(status, secureLocation(head, httpsPort)), { code: undefined, status });
    return true;
  }

  #redirect({ to, status }: Extract<Target, { kind: 'redirect' }>): void {
    const location = redirectLocation(this.#request.head, to, this.#request.entrance.scheme);
    this.#exchange.answer(redirection(status, location), { code: undefined, status });
  }

  /** Whether the app's rules let this request in; once for all tries. */
  #ask(rules: VisitorRules): void {
    this.#state = 'asking';
    const { peer, head } = this.#request;
    const refusal = rules.refusal({ peer, head: head.text, now: performance.now() });
    if (!(refusal instanceof Promise)) this.#admit(refusal);
    else refusal.then((answer) => this.#state === 'asking' && this.#admit(answer));
  }

  #admit(refusal: Answer | undefined): void {
    if (refusal) {
      const { status } = refusal;
      const page = errorPage(this.app!, undefined, status);
      this.#exchange.answer({ ...refusal, ...(page !== undefined && { page }) }, { code: undefined, status });
      return;
    }
    this.#admitted = true;
    this.start();
  }

  #strip(prefix: string): void {
    if (this.#prefix === '') stripPrefix(this.#request.head, prefix);
    this.#prefix = prefix;
  }

  #chooseDyno(app: App): void {
    this.setCookie = '';
    const error = STATE_ERRORS[app.state];
    if (error) {
      this.#exchange.fail(error);
      return;
    }
    if (app.state === 'asleep') this.#router.routes.wakes.call(app.name);
    if (app.state === 'asleep' || app.dynos.length === 0) {
      this.#wait();
      return;
    }
    const dyno = (app.canary && this.#pickSide(app, app.canary)) ?? this.#pick(app);
    if (!dyno) {
      this.#exchange.fail(this.#connectError);
      return;
    }
    this.dyno = dyno.name;
    this.#reach(dyno.pool);
  }

  #pick(app: App): Dyno | undefined {
    if (app.sticky) return this.#pickSticky(app, app.sticky);
    return pickDyno(app, { tried: this.#tried, now: this.#router.clock.now });
  }

  /** The visitor's dyno, or a new one for him if that is gone or in trouble. */
  #pickSticky(app: App, cookie: AppCookie): Dyno | undefined {
    const { now } = this.#router.clock;
    const name = cookie.read(this.#request.head.text);
    const known = app.dynos.find((dyno) => dyno.name === name);
    if (known && !this.#tried?.has(known.pool) && !known.pool.health.isAvoided(now)) return known;
    const dyno = pickDyno(app, { tried: this.#tried, now });
    if (dyno) this.setCookie += cookie.lineFor(dyno.name);
    return dyno;
  }

  /** Of the release that this visitor gets; undefined: none of its dynos is there. */
  #pickSide(app: App, canary: Canary): Dyno | undefined {
    const side = chooseSide({ head: this.#request.head.text, app, canary });
    this.setCookie = side.setCookie;
    return this.#pick(side.app);
  }

  /** Until the routes change. */
  #wait(): void {
    this.#state = 'waiting';
    this.#waitStart ??= this.#router.clock.now;
    this.#stopWaiting = this.#router.routes.waitForChange(() => this.start());
  }

  /** Takes a kept connection, or opens one. */
  #reach(pool: UpstreamPool): void {
    this.#pool = pool;
    pool.began();
    const { now } = this.#router.clock;
    const maxAge = this.#request.isRepeatable ? Number.POSITIVE_INFINITY : UNREPEATABLE_MAX_AGE;
    const kept = this.#onlyFresh ? undefined : pool.take(this.#exchange, { now, maxAge });
    if (kept) {
      this.connectTime = 0;
      this.#reached(kept);
      return;
    }
    this.#state = 'connecting';
    this.#connectStart = performance.now();
    this.#connection = pool.connect(this.#exchange, this.#router.buffers);
  }

  #reached(connection: UpstreamConnection): void {
    this.#state = 'reached';
    this.#connection = undefined;
    this.#exchange.reached(connection);
  }

  #leavePool(): void {
    this.#connection = undefined;
    this.#pool?.ended();
    this.#pool = undefined;
  }
}

const STATE_ERRORS = {
  up: undefined,
  booting: undefined,
  asleep: undefined,
  crashed: 'H10',
  stopped: 'H14',
  maintenance: 'H80',
  'no-release': 'H81',
} as const;
/** What must not be sent twice goes only on connections that were in use a moment ago. */
const UNREPEATABLE_MAX_AGE = 1_000;
const DASHBOARD_RETRY = 100;
