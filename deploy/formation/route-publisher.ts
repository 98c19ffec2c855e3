import type { AppRoute, Router, RouterTls } from '../model/router.ts';
import type { VisitorSettings } from '../model/visitor-settings.ts';
import type { AppRecord, AppStore } from '../store/app-store.ts';
import type { DomainRecord, DomainStore } from '../store/domain-store.ts';
import type { PortRecord, PortStore } from '../store/port-store.ts';
import type { VisitorStore } from '../store/visitor-store.ts';
import { type Dyno, WEB_PORT } from './dyno.ts';

export interface RoutePublisherOptions {
  apps: AppStore;
  domains: DomainStore;
  visitors: VisitorStore;
  ports: PortStore;
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
    const ports = Map.groupBy(this.#options.ports.all(), ({ app }) => app);
    return this.#options.apps.list().map((app) => {
      const dynos = this.#options.dynosOf(app.name);
      const all = dynos.filter((dyno) => dyno.isWeb);
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
        dynos: routesOf(web, WEB_PORT),
        ...portsOf(app, { ports: ports.get(app.name) ?? [], dynos }),
        ...(canary[0] && {
          canary: {
            release: String(canary[0].release.version),
            share: app.canaryShare ?? 1,
            dynos: routesOf(canary, WEB_PORT),
          },
        }),
      };
    });
  }
}

const NO_TLS: RouterTls = { certificates: [], challenges: [] };

function placesOf(
  builtIn: string,
  domains: DomainRecord[],
): Pick<AppRoute, 'hosts' | 'paths' | 'redirects' | 'passthrough'> {
  const own = domains.filter(({ redirect }) => !redirect);
  const whole = own.filter(({ path }) => path === '');
  const parts = own.filter(({ path }) => path !== '');
  const redirects = domains.flatMap(({ hostname, redirect }) =>
    redirect ? [{ host: hostname, ...redirect }] : [],
  );
  const passthrough = whole.flatMap(({ hostname, passthrough }) =>
    passthrough === undefined ? [] : [{ host: hostname, port: passthrough }],
  );
  return {
    hosts: [builtIn, ...whole.map(({ hostname }) => hostname)],
    ...(parts.length > 0 && {
      paths: parts.map(({ hostname, path, strip }) => ({ host: hostname, path, strip })),
    }),
    ...(redirects.length > 0 && { redirects }),
    ...(passthrough.length > 0 && { passthrough }),
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

function portsOf(
  app: AppRecord,
  { ports, dynos }: { ports: PortRecord[]; dynos: Dyno[] },
): Pick<AppRoute, 'ports'> {
  const own = ports.filter(({ protocol }) => protocol === 'http');
  if (own.length === 0) return {};
  return {
    ports: own.map(({ port, type, target }) => {
      const behind = dynos.filter((dyno) => dyno.type === type && !dyno.canary);
      return { port, state: stateOf(app, behind), dynos: routesOf(behind, target) };
    }),
  };
}

/** Those that can take requests. */
function routesOf(dynos: Dyno[], port: number): AppRoute['dynos'] {
  return dynos
    .filter((dyno) => dyno.state === 'up' && dyno.ready && dyno.container?.address)
    .map((dyno) => ({ name: dyno.name, address: dyno.container!.address!, port }));
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
