import type { AppStore } from '../store/app-store.ts';
import type { DomainStore } from '../store/domain-store.ts';

export interface HostOwnersOptions {
  apps: AppStore;
  domains: DomainStore;
  /** Apps answer at `<app>.<domain>`, the dashboard at `paas.<domain>`. */
  domain: string;
}

/** The host names at which the router answers, and whose they are, at one moment. */
export class HostOwners {
  readonly dashboard: string;
  readonly domain: string;
  /** Host name → its apps: several where they share it by paths, none for the platform's own. */
  readonly #apps = new Map<string, string[]>();
  readonly #passedThrough = new Set<string>();

  constructor({ apps, domains, domain }: HostOwnersOptions) {
    this.domain = domain;
    this.dashboard = `paas.${domain}`;
    this.#apps.set(this.dashboard, []);
    for (const { name } of apps.list()) this.#apps.set(`${name}.${domain}`, [name]);
    for (const { hostname, app, passthrough } of domains.all()) {
      if (passthrough !== undefined) this.#passedThrough.add(hostname);
      const present = this.#apps.get(hostname) ?? [];
      if (!present.includes(app)) this.#apps.set(hostname, [...present, app]);
    }
  }

  hosts(): string[] {
    return [...this.#apps.keys()];
  }

  hostsOf(app: string | undefined): string[] {
    if (app === undefined) return [this.dashboard];
    return this.hosts().filter((host) => this.appsOf(host).includes(app));
  }

  /** Of the longest wildcard, for a name that nobody has exactly (as the router finds it). */
  appsOf(host: string): string[] {
    const exact = this.#apps.get(host);
    if (exact || this.isPlatforms(host)) return exact ?? [];
    for (let rest = withoutLabel(host); rest !== ''; rest = withoutLabel(rest)) {
      const apps = this.#apps.get(`*.${rest}`);
      if (apps) return apps;
    }
    return [];
  }

  /** Whether TLS for a host goes to its app unread: the app shows a certificate of its own. */
  isPassedThrough(host: string): boolean {
    return this.#passedThrough.has(host);
  }

  /** Whether a host is one of the names below PAAS_DOMAIN. */
  isPlatforms(host: string): boolean {
    return host === this.domain || host.endsWith(`.${this.domain}`);
  }
}

/** `b.c` of `a.b.c` and of `*.a.b.c` less its star; '' at the end. */
function withoutLabel(host: string): string {
  const bare = host.replace(/^\*\./, '');
  const dot = bare.indexOf('.');
  return dot < 0 ? '' : bare.slice(dot + 1);
}
