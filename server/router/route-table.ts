/** What control sends to the router, whole, at every change (`PUT /routes` on `$PAAS_RUN/control/router.sock`). */
export interface RouteTable {
  /** Where requests for the dashboard's host go. */
  dashboard: { host: string; socketPath: string };
  apps: AppRoute[];
}

export interface AppRoute {
  app: string;
  /** Lower case, no port, no trailing dot; `*.example.com`: every name below that no other app has. */
  hosts: string[];
  /** Parts of hosts, which may be another app's. */
  paths?: PathRoute[];
  /** Hosts whose visitors are sent to another. */
  redirects?: RedirectRoute[];
  /** Whom the router lets through. */
  rules?: RouteRules;
  /**
   * up: has dynos. booting: its first web dynos are starting (requests are held up to 75 s, then H20). crashed: every web dyno
   * crashed (H10). stopped: scaled to zero (H14). no-release: H81.
   * maintenance: closed to visitors (H80). asleep: as booting, and control is told that somebody came.
   */
  state: 'up' | 'booting' | 'asleep' | 'crashed' | 'stopped' | 'no-release' | 'maintenance';
  /** HTML in place of the router's own page of H80. */
  page?: string;
  /** HTML in place of the router's own pages, by status. */
  errorPages?: Record<string, string>;
  /** A visitor stays with the dyno that answered first, by a cookie. */
  sticky?: true;
  dynos: DynoRoute[];
  /** A release that some visitors get. */
  canary?: CanaryRoute;
}

export interface PathRoute {
  /** As in `hosts`. */
  host: string;
  /** e.g. `/api`: has `/api` and what is below. */
  path: string;
  /** The app sees `/` in place of it. */
  strip: boolean;
}

export interface RedirectRoute {
  /** As in `hosts`. */
  host: string;
  /** `example.com` or `https://example.com`; the path of the request comes behind it. */
  to: string;
  /** 301, 302, 307 or 308. */
  status: number;
}

export interface RouteRules {
  /** CIDR or addresses of clients that may come in; undefined: all. */
  allow?: string[];
  /** Requests that each client may make, and how many at once beyond that pace. */
  rate?: { requests: number; milliseconds: number; burst: number };
  /** Who gives a name and a password (RFC 7617) may come in. */
  users?: { name: string /** As in password.ts. */; hash: string }[];
}

export interface CanaryRoute {
  /** Its number, e.g. `12`. */
  release: string;
  /** Percent of the visitors, 1 to 99. */
  share: number;
  dynos: DynoRoute[];
}

export interface DynoRoute {
  /** e.g. `web.1` */
  name: string;
  address: string;
  port: number;
}

/** One line for an app's log. */
export interface RouterLogLine {
  app: string;
  /** Milliseconds since the epoch. */
  at: number;
  /** `at=info method=GET path="/" host=…` */
  text: string;
}
