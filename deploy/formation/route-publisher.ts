import type { AppRoute, Router, RouterTls } from '../model/router.ts';
import type { VisitorSettings } from '../model/visitor-settings.ts';
import type { AppRecord, AppStore } from '../store/app-store.ts';
import type { DomainRecord, DomainStore } from '../store/domain-store.ts';
import type { VisitorStore } from '../store/visitor-store.ts';
import { type Dyno, WEB_PORT } from './dyno.ts';

export interface RoutePublisherOptions {
  apps: AppStore;
  domains: DomainStore;
  visitors: VisitorStore;
  router: Router;
  domain: string;
  dynosOf: (app: string) => Dyno[];
  /** Certificates and challenges as they are now; undefined: none. */
  tls?: () => RouterTls;
  /** What an app wants of HTTPS; undefined: nothing. */
  httpsOf?: (app: string) => AppRoute['https'];
}

/** Keeps the router's table as the apps are; calls that come while one is under way share the next. */
export class RoutePublisher {
  #options: RoutePublisherOptions;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(options: RoutePublisherOptions) {
    this.#options = options;
  }

  /** Resolves when a table at least as new as this call is in effect. */
  publish(): Promise<void> {
    if (this.#next) return this.#next;
    const turn = (this.#current ?? Promise.resolve())
      .catch(() => {})
      .then(() => {
        this.#current = turn;
        this.#next = undefined;
        return this.#options.router.setRoutes(this.#table(), this.#options.tls?.() ?? NO_TLS);
      });
    this.#next = turn;
    return turn;
  }

  #table(): AppRoute[] {
    const domains = Map.groupBy(this.#options.domains.all(), ({ app }) => app);
    const visitors = this.#options.visitors.all();
    return this.#options.apps.list().map((app) => {
      const all = this.#options.dynosOf(app.name).filter((dyno) => dyno.isWeb);
      const web = all.filter((dyno) => !dyno.canary);
      const canary = all.filter((dyno) => dyno.canary);
      const https = this.#options.httpsOf?.(app.name);
      return {
        app: app.name,
        ...placesOf(`${app.name}.${this.#options.domain}`, domains.get(app.name) ?? []),
        ...visitorsOf(visitors.get(app.name) ?? {}),
        state: stateOf(app, web),
        ...(app.maintenancePage !== undefined && { page: app.maintenancePage }),
        ...(https && { https }),
        dynos: routesOf(web),
        ...(canary[0] && {
          canary: {
            release: String(canary[0].release.version),
            share: app.canaryShare ?? 1,
            dynos: routesOf(canary),
          },
        }),
      };
    });
  }
}

const NO_TLS: RouterTls = { certificates: [], challenges: [] };

function placesOf(builtIn: string, domains: DomainRecord[]): Pick<AppRoute, 'hosts' | 'paths' | 'redirects'> {
  const own = domains.filter(({ redirect }) => !redirect);
  const whole = own.filter(({ path }) => path === '');
  const parts = own.filter(({ path }) => path !== '');
  const redirects = domains.flatMap(({ hostname, redirect }) =>
    redirect ? [{ host: hostname, ...redirect }] : [],
  );
  return {
    hosts: [builtIn, ...whole.map(({ hostname }) => hostname)],
    ...(parts.length > 0 && {
      paths: parts.map(({ hostname, path, strip }) => ({ host: hostname, path, strip })),
    }),
    ...(redirects.length > 0 && { redirects }),
  };
}

function visitorsOf({
  sticky,
  errorPages,
  ...rules
}: VisitorSettings): Pick<AppRoute, 'rules' | 'sticky' | 'errorPages'> {
  return {
    ...(Object.keys(rules).length > 0 && { rules }),
    ...(sticky && { sticky }),
    ...(errorPages && { errorPages }),
  };
}

/** Those that can take requests. */
function routesOf(dynos: Dyno[]): AppRoute['dynos'] {
  return dynos
    .filter((dyno) => dyno.state === 'up' && dyno.ready && dyno.container?.address)
    .map((dyno) => ({ name: dyno.name, address: dyno.container!.address!, port: WEB_PORT }));
}

function stateOf(app: AppRecord, web: Dyno[]): AppRoute['state'] {
  if (app.maintenance) return 'maintenance';
  return app.currentRelease === undefined ? 'no-release' : webState(web);
}

function webState(web: Dyno[]): AppRoute['state'] {
  if (web.length === 0) return 'stopped';
  if (web.some((dyno) => dyno.state === 'up' && dyno.ready)) return 'up';
  const booting = web.some(
    (dyno) =>
      dyno.state === 'starting' ||
      (dyno.state === 'up' && !dyno.ready) ||
      (dyno.state === 'crashed' && dyno.restartsAtOnce),
  );
  if (booting) return 'booting';
  if (web.some((dyno) => dyno.state === 'idle')) return 'asleep';
  return 'crashed';
}
