import type { Latencies } from './latency.ts';
import type { VisitorSettings } from './visitor-settings.ts';

/** What deploy needs of the router; server/control.ts brings the real one. */
export interface Router {
  /** Resolves when the table is in effect. */
  setRoutes(apps: AppRoute[], tls: RouterTls): Promise<void>;
  /** How many requests to these dynos are in flight. */
  inFlight(dynos: DynoAddress[]): Promise<number>;
  /** Resolves when no request to these dynos is in flight any more, or after so many milliseconds. */
  drain(dynos: DynoAddress[], milliseconds: number): Promise<void>;
}

/** What one app answered in a few seconds. */
export interface TrafficCount {
  app: string;
  /** How many answers of each class: 1xx, 2xx, 3xx, 4xx, 5xx. */
  statuses: number[];
  bytes: number;
  /** Milliseconds of all requests together, but for tunnels. */
  time: number;
  latencies: Latencies;
}

/** What the router shows on HTTPS, and answers to certificate authorities. */
export interface RouterTls {
  certificates: Certificate[];
  challenges: Challenge[];
}

/** PEM: the host's own certificate first; a key without a passphrase. */
export interface CertificatePair {
  chain: string;
  key: string;
}

export interface Certificate extends CertificatePair {
  /** Lower case; `*.example.com` for names with one label in place of the star. */
  hosts: string[];
}

/** The proof that a host is ours (RFC 8555, 8). */
export interface Challenge {
  host: string;
  token: string;
  /** The key authorization: the answer on HTTP. */
  answer: string;
  /** For tls-alpn-01 (RFC 8737). */
  certificate?: CertificatePair;
}

export interface DynoAddress {
  address: string;
  port: number;
}

export interface AppRoute {
  app: string;
  /** `*.example.com`: every name below. */
  hosts: string[];
  /** Parts of hosts. */
  paths?: { host: string; path: string; strip: boolean }[];
  redirects?: { host: string; to: string; status: number }[];
  /** Whom the router lets in: by address, pace, password. */
  rules?: Pick<VisitorSettings, 'allow' | 'rate' | 'users'>;
  state: 'up' | 'booting' | 'asleep' | 'crashed' | 'stopped' | 'no-release' | 'maintenance';
  /** HTML for the visitors in maintenance mode, in place of the router's own page. */
  page?: string;
  /** `redirect`: HTTP leads to HTTPS, on hosts that have a certificate. `hsts`: max-age in seconds (RFC 6797). */
  https?: { redirect: boolean; hsts?: number };
  /** TLS for these hosts goes to a port of the web dynos unread. */
  passthrough?: { host: string; port: number }[];
  /** HTML in place of the router's own pages, by status. */
  errorPages?: Record<string, string>;
  /** A visitor stays with the dyno that answered first. */
  sticky?: true;
  dynos: (DynoAddress & { name: string })[];
  /** Ports of the machine that are this app's alone, with what is behind them. */
  ports?: { port: number; state: AppRoute['state']; dynos: (DynoAddress & { name: string })[] }[];
  /** A release that some visitors get: its number, percent of the visitors. */
  canary?: { release: string; share: number; dynos: (DynoAddress & { name: string })[] };
}
