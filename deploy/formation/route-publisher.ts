import type { AppRoute, Router, RouterTls } from '../model/router.ts';
import type { AppRecord, AppStore } from '../store/app-store.ts';
import { type Dyno, WEB_PORT } from './dyno.ts';

export interface RoutePublisherOptions {
  apps: AppStore;
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
    return this.#options.apps.list().map((app) => {
      const all = this.#options.dynosOf(app.name).filter((dyno) => dyno.isWeb);
      const web = all.filter((dyno) => !dyno.canary);
      const canary = all.filter((dyno) => dyno.canary);
      const https = this.#options.httpsOf?.(app.name);
      return {
        app: app.name,
        hosts: [`${app.name}.${this.#options.domain}`, ...this.#options.apps.domains(app.name)],
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
