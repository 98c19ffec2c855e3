import type { Activity } from './activity.ts';
import { refuseTaken } from './app-domains.ts';
import { quote } from './model/app-name.ts';
import { parseHostname } from './model/hostname.ts';
import { PaasError } from './model/paas-error.ts';
import { parsePlace } from './model/place.ts';
import type { Redirects, RedirectView } from './platform/addresses.ts';
import type { AppStore } from './store/app-store.ts';
import type { DomainStore } from './store/domain-store.ts';

export interface AppRedirectsOptions {
  store: AppStore;
  domains: DomainStore;
  activity: Activity;
  domain: string;
  publishRoutes: () => Promise<void>;
}

/** Host names whose visitors are sent to another one, with the path that they asked for. */
export class AppRedirects implements Redirects {
  #options: AppRedirectsOptions;

  constructor(options: AppRedirectsOptions) {
    this.#options = options;
  }

  list(app: string): RedirectView[] {
    this.#options.store.find(app);
    return this.#options.domains
      .of(app)
      .flatMap(({ hostname, redirect }) => (redirect ? [{ hostname, ...redirect }] : []));
  }

  async add(
    app: string,
    { from, to, status }: { from: string; to: string; status: number },
    user: string,
  ): Promise<RedirectView> {
    const { store, domains, domain, activity } = this.#options;
    store.find(app);
    if (!STATUSES.includes(status)) {
      throw new PaasError('invalid', `${status} is no status of a redirect: ${STATUSES.join(', ')} are.`);
    }
    const hostname = parseSource(from);
    const target = parseTarget(to);
    refuseTaken({ hostname, path: '' }, { app, domains, domain });
    this.#refuseLoop(hostname, target);
    domains.add({
      hostname,
      path: '',
      app,
      strip: false,
      passthrough: undefined,
      redirect: { to: target, status },
    });
    activity.note({
      app,
      user,
      action: 'redirects:add',
      text: `Redirect from ${hostname} to ${target} added`,
    });
    await this.#options.publishRoutes();
    return { hostname, to: target, status };
  }

  async remove(app: string, from: string, user: string): Promise<void> {
    const { store, domains, activity } = this.#options;
    store.find(app);
    const place = { hostname: parseSource(from), path: '' };
    const found = domains.find(place);
    if (found?.app !== app || !found.redirect) {
      throw new PaasError(
        'not_found',
        `${app} has no redirect from ${quote(from)}. \`paas redirects -a ${app}\` lists them.`,
      );
    }
    domains.remove(place);
    activity.note({ app, user, action: 'redirects:remove', text: `Redirect from ${place.hostname} removed` });
    await this.#options.publishRoutes();
  }

  #refuseLoop(from: string, to: string): void {
    const target = to.replace(/^https?:\/\//, '').replace(/:\d+$/, '');
    const isBelow = from.startsWith('*.') && target.endsWith(from.slice(1));
    // An exact domain comes before a wildcard.
    if (target === from || (isBelow && !this.#leadsToApp(target))) {
      throw new PaasError('invalid', `${from} cannot lead to ${to}: its visitors would come back for ever.`);
    }
    if (this.#options.domains.find({ hostname: target, path: '' })?.redirect) {
      throw new PaasError('invalid', `${to} is redirected itself. Let ${from} lead to where that one leads.`);
    }
  }

  #leadsToApp(hostname: string): boolean {
    const found = this.#options.domains.find({ hostname, path: '' });
    return found !== undefined && !found.redirect;
  }
}

function parseSource(text: string): string {
  const { hostname, path } = parsePlace(text);
  if (path !== '')
    throw new PaasError('invalid', `${quote(text)} has a path: whole host names are redirected.`);
  return hostname;
}

/** `example.com`, or with `https://` in front and `:8443` behind. */
function parseTarget(text: string): string {
  const match = /^(https?:\/\/)?([^/:]+)(:\d{1,5})?\/?$/i.exec(text.trim());
  if (!match || Number(match[3]?.slice(1) ?? 1) > 65_535) {
    throw new PaasError(
      'invalid',
      `${quote(text)} is no target of a redirect: it should look like example.com or https://example.com, without a path.`,
    );
  }
  return `${(match[1] ?? '').toLowerCase()}${parseHostname(match[2]!)}${match[3] ?? ''}`;
}

const STATUSES = [301, 302, 307, 308];
