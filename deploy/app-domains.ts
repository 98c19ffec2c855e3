import type { Activity } from './activity.ts';
import { parseHostname } from './model/hostname.ts';
import { PaasError } from './model/paas-error.ts';
import type { Domains, DomainView } from './platform.ts';
import type { AppStore } from './store/app-store.ts';

export interface AppDomainsOptions {
  store: AppStore;
  activity: Activity;
  /** Apps answer at `<app>.<domain>`. */
  domain: string;
  publishRoutes: () => Promise<void>;
}

/** Host names that lead to an app; each belongs to one app at most. */
export class AppDomains implements Domains {
  #options: AppDomainsOptions;

  constructor(options: AppDomainsOptions) {
    this.#options = options;
  }

  list(app: string): DomainView[] {
    const { store, domain } = this.#options;
    store.find(app);
    const own = store.domains(app).map((hostname) => ({ hostname, builtIn: false }));
    return [{ hostname: `${app}.${domain}`, builtIn: true }, ...own];
  }

  async add(app: string, text: string, user: string): Promise<void> {
    const { store, domain } = this.#options;
    store.find(app);
    const hostname = parseHostname(text);
    if (hostname === domain || hostname.endsWith(`.${domain}`)) {
      throw new PaasError(
        'conflict',
        `${hostname} is below ${domain}, whose names belong to the platform's apps.`,
      );
    }
    const owner = store.domainOwner(hostname);
    if (owner === app) throw new PaasError('conflict', `${app} has the domain ${hostname} already.`);
    if (owner) throw new PaasError('conflict', `The domain ${hostname} belongs to another app.`);
    store.addDomain(app, hostname);
    this.#options.activity.note({ app, user, action: 'domains:add', text: `Domain ${hostname} added` });
    await this.#options.publishRoutes();
  }

  async remove(app: string, text: string, user: string): Promise<void> {
    const { store } = this.#options;
    store.find(app);
    const hostname = parseHostname(text);
    if (!store.removeDomain(app, hostname)) {
      throw new PaasError(
        'not_found',
        `${app} has no domain ${JSON.stringify(text)} that could be removed. \`paas domains -a ${app}\` lists them.`,
      );
    }
    this.#options.activity.note({ app, user, action: 'domains:remove', text: `Domain ${hostname} removed` });
    await this.#options.publishRoutes();
  }
}
