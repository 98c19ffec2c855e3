import type { Activity } from './activity.ts';
import { PaasError } from './model/paas-error.ts';
import { type Place, parsePlace, placeText } from './model/place.ts';
import type { DomainOptions, Domains, DomainView } from './platform/addresses.ts';
import type { AppStore } from './store/app-store.ts';
import type { DomainStore } from './store/domain-store.ts';

export interface AppDomainsOptions {
  store: AppStore;
  domains: DomainStore;
  activity: Activity;
  /** Apps answer at `<app>.<domain>`. */
  domain: string;
  publishRoutes: () => Promise<void>;
}

/** Host names, and parts of them, that lead to an app; each belongs to one app at most. */
export class AppDomains implements Domains {
  #options: AppDomainsOptions;

  constructor(options: AppDomainsOptions) {
    this.#options = options;
  }

  list(app: string): DomainView[] {
    const { store, domains, domain } = this.#options;
    store.find(app);
    const own = domains.of(app).filter(({ redirect }) => !redirect);
    return [
      { hostname: `${app}.${domain}`, path: '', strip: false, passthrough: undefined, builtIn: true },
      ...own.map(({ hostname, path, strip, passthrough }) => {
        return { hostname, path, strip, passthrough, builtIn: false };
      }),
    ];
  }

  async add(app: string, text: string, options: DomainOptions): Promise<void> {
    const { strip = false, passthrough, user } = options;
    const { store, domains, domain } = this.#options;
    store.find(app);
    const place = parsePlace(text);
    refuseSenseless(place, options);
    refuseTaken(place, { app, domains, domain });
    domains.add({ ...place, app, strip, passthrough, redirect: undefined });
    this.#note({ app, user, action: 'domains:add', text: `Domain ${placeText(place)} added` });
    await this.#options.publishRoutes();
  }

  async remove(app: string, text: string, user: string): Promise<void> {
    const { store, domains } = this.#options;
    store.find(app);
    const place = parsePlace(text);
    const found = domains.find(place);
    if (found?.app !== app || found.redirect) {
      throw new PaasError(
        'not_found',
        `${app} has no domain ${JSON.stringify(text)} that could be removed. \`paas domains -a ${app}\` lists them.`,
      );
    }
    domains.remove(place);
    this.#note({ app, user, action: 'domains:remove', text: `Domain ${placeText(place)} removed` });
    await this.#options.publishRoutes();
  }

  #note(action: Parameters<Activity['note']>[0]): void {
    this.#options.activity.note(action);
  }
}

function refuseSenseless(place: Place, { strip, passthrough }: DomainOptions): void {
  const text = placeText(place);
  if (strip && place.path === '') {
    throw new PaasError('invalid', `There is nothing to strip: ${text} has no path, as example.com/api has.`);
  }
  if (passthrough === undefined) return;
  if (place.path !== '') {
    throw new PaasError('invalid', `${text} has a path: what is not read can be led by its host name alone.`);
  }
  if (!Number.isInteger(passthrough) || passthrough < 1 || passthrough > 65_535) {
    throw new PaasError('invalid', `${passthrough} is no port: they go from 1 to 65535.`);
  }
}

/** Throws `conflict` for a place that an app has, or that belongs to the platform. */
export function refuseTaken(
  place: Place,
  { app, domains, domain }: { app: string; domains: DomainStore; domain: string },
): void {
  const text = placeText(place);
  const bare = place.hostname.replace(/^\*\./, '');
  if (bare === domain || bare.endsWith(`.${domain}`)) {
    throw new PaasError('conflict', `${text} is below ${domain}, whose names belong to the platform's apps.`);
  }
  const owner = domains.find(place);
  if (!owner) return;
  const what = owner.redirect ? 'redirect' : 'domain';
  if (owner.app === app) throw new PaasError('conflict', `${app} has the ${what} ${text} already.`);
  throw new PaasError('conflict', `The ${what} ${text} belongs to another app.`);
}
