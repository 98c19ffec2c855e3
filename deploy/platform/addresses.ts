import type { PortMapping } from '../model/port-mapping.ts';
import type { VisitorSettings } from '../model/visitor-settings.ts';

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
