/** What control sends to the router, whole, at every change (`PUT /routes` on `$PAAS_RUN/control/router.sock`). */
export interface RouteTable {
  /** Which table it is, of control's making; a change names the one that it starts from. */
  revision?: string;
  /** Where requests for the dashboard's host go. */
  dashboard: { host: string; socketPath: string };
  apps: AppRoute[];
  /** A host's own goes before one with a wildcard. One that cannot be used (its key does not fit …) is left out. */
  certificates?: CertificateRoute[];
  /** What a certificate authority asks for at the moment. */
  challenges?: ChallengeRoute[];
}

/** Some apps' routes in the place of theirs (`PATCH /routes`); the rest of the table stays as it is. */
export interface RouteChange {
  /** Revision of the table that is changed. */
  from: string;
  to: string;
  /** New ones, and those that changed. */
  apps: AppRoute[];
  /** Names of those that are no more. */
  gone: string[];
}

/** What the router shows on HTTPS for some hosts. */
export interface CertificateRoute {
  /** Lower case; `*.example.com`: names with one label in place of the star, as certificates have it (RFC 6125, 6.4.3). */
  hosts: string[];
  /** PEM, the host's own certificate first. */
  chain: string;
  /** PEM, without a passphrase. */
  key: string;
}

/** The proof that a host is ours (RFC 8555, 8). */
export interface ChallengeRoute {
  host: string;
  /** `GET /.well-known/acme-challenge/TOKEN` on HTTP … */
  token: string;
  /** … is answered with this: the key authorization. */
  answer: string;
  /** For tls-alpn-01 (RFC 8737): shown only to who speaks `acme-tls/1`. */
  certificate?: { chain: string; key: string };
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
  https?: HttpsRoute;
  /** TLS for these hosts goes to a port of the app's dynos unread: certificate and key are the app's own. */
  passthrough?: { host: string; port: number }[];
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
  /** Ports of the machine at which the router listens for this app alone, whatever the host. */
  ports?: { port: number; state: AppRoute['state']; dynos: DynoRoute[] }[];
  /** A release that some visitors get. */
  canary?: CanaryRoute;
}

export interface HttpsRoute {
  /** Who comes by HTTP is sent to HTTPS, on hosts that have a certificate. */
  redirect: boolean;
  /** Strict-Transport-Security's max-age, in seconds (RFC 6797); undefined: the app's own, if any. */
  hsts?: number;
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
