import type { Activity } from './activity.ts';
import { quote } from './model/app-name.ts';
import { parseIpRange } from './model/ip-range.ts';
import { PaasError } from './model/paas-error.ts';
import { passwordHash } from './model/password-hash.ts';
import { ERROR_PAGE_STATUSES, type VisitorSettings } from './model/visitor-settings.ts';
import type { Visitors } from './platform/addresses.ts';
import type { AppStore } from './store/app-store.ts';
import type { VisitorStore } from './store/visitor-store.ts';

const MOST_RANGES = 1000;
const MOST_LOGINS = 100;
const MAX_PAGE = 64 * 1024;

export interface AppVisitorsOptions {
  store: AppStore;
  visitors: VisitorStore;
  activity: Activity;
  publishRoutes: () => Promise<void>;
}

/** Whom the router lets through to an app, and how. */
export class AppVisitors implements Visitors {
  #options: AppVisitorsOptions;

  constructor(options: AppVisitorsOptions) {
    this.#options = options;
  }

  find(app: string): VisitorSettings {
    this.#options.store.find(app);
    return this.#options.visitors.find(app);
  }

  allow(app: string, texts: string[], user: string): Promise<VisitorSettings> {
    const ranges = texts.map(parseIpRange);
    const allow = [...new Set([...(this.find(app).allow ?? []), ...ranges])];
    if (allow.length > MOST_RANGES)
      throw new PaasError('invalid', `An app may have ${MOST_RANGES} ranges at most.`);
    return this.#change(
      { app, user, action: 'access:allow', text: `Access allowed to ${ranges.join(', ')}` },
      { allow },
    );
  }

  disallow(app: string, texts: string[] | 'all', user: string): Promise<VisitorSettings> {
    const { allow: present = [] } = this.find(app);
    const ranges = texts === 'all' ? present : texts.map(parseIpRange);
    const missing = ranges.find((range) => !present.includes(range));
    if (missing !== undefined) {
      throw new PaasError(
        'not_found',
        `${missing} is not on the list of ${app}. \`paas access -a ${app}\` shows it.`,
      );
    }
    const rest = present.filter((range) => !ranges.includes(range));
    const text = rest.length === 0 ? 'Access allowed to everybody' : `Access taken from ${ranges.join(', ')}`;
    return this.#change(
      { app, user, action: 'access:remove', text },
      { allow: rest.length === 0 ? undefined : rest },
    );
  }

  async setPassword(
    app: string,
    { name, password }: { name: string; password: string },
    user: string,
  ): Promise<void> {
    this.find(app);
    if (!/^[A-Za-z0-9._@-]{1,64}$/.test(name)) {
      throw new PaasError(
        'invalid',
        `${quote(name)} is no name to sign in with: letters, digits and ._@- alone, 64 at most.`,
      );
    }
    if (password === '' || Buffer.byteLength(password) > 256) {
      throw new PaasError('invalid', 'A password has 1 to 256 bytes.');
    }
    const hash = await passwordHash(password);
    const others = (this.find(app).users ?? []).filter((login) => login.name !== name);
    if (others.length >= MOST_LOGINS)
      throw new PaasError('invalid', `An app may have ${MOST_LOGINS} names at most.`);
    const action = { app, user, action: 'http-auth:add', text: `Password of ${name} set` };
    await this.#change(action, { users: [...others, { name, hash }] });
  }

  async removeLogin(app: string, name: string, user: string): Promise<void> {
    const users = this.find(app).users ?? [];
    const rest = users.filter((login) => login.name !== name);
    if (rest.length === users.length) {
      throw new PaasError(
        'not_found',
        `${app} has no name ${quote(name)} to sign in with. \`paas http-auth -a ${app}\` lists them.`,
      );
    }
    const action = { app, user, action: 'http-auth:remove', text: `Password of ${name} removed` };
    await this.#change(action, { users: rest.length === 0 ? undefined : rest });
  }

  async setRate(app: string, rate: VisitorSettings['rate'], user: string): Promise<void> {
    const action = rate ? 'rate-limit:set' : 'rate-limit:clear';
    await this.#change({ app, user, action, text: rate ? 'Rate limit set' : 'Rate limit cleared' }, { rate });
  }

  async setSticky(app: string, on: boolean, user: string): Promise<void> {
    const text = `Sticky sessions ${on ? 'on' : 'off'}`;
    await this.#change({ app, user, action: 'ps:sticky', text }, { sticky: on ? true : undefined });
  }

  async setErrorPage(
    app: string,
    { status, html }: { status: number; html: string | undefined },
    user: string,
  ): Promise<void> {
    if (!ERROR_PAGE_STATUSES.includes(status)) {
      throw new PaasError(
        'invalid',
        `The router has no page for ${status}. It has for ${ERROR_PAGE_STATUSES.join(', ')}.`,
      );
    }
    if (html !== undefined) checkPage(html);
    const { [status]: before, ...others } = this.find(app).errorPages ?? {};
    if (html === undefined && before === undefined)
      throw new PaasError('not_found', `${app} has no page of its own for ${status}.`);
    const pages = { ...others, ...(html !== undefined && { [status]: html }) };
    const errorPages = Object.keys(pages).length === 0 ? undefined : pages;
    const [action, text] =
      html === undefined
        ? ['error-pages:clear', `Page for status ${status} removed`]
        : ['error-pages:set', `Page for status ${status} set`];
    await this.#change({ app, user, action, text }, { errorPages });
  }

  /** undefined: not set any more. */
  async #change(
    action: Parameters<Activity['note']>[0],
    change: { [key in keyof VisitorSettings]: VisitorSettings[key] | undefined },
  ): Promise<VisitorSettings> {
    const { visitors, activity } = this.#options;
    const merged = { ...this.find(action.app), ...change };
    const settings = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined));
    visitors.set(action.app, settings);
    activity.note(action);
    await this.#options.publishRoutes();
    return settings;
  }
}

function checkPage(page: string): void {
  if (page.trim() === '') throw new PaasError('invalid', 'The page is empty.');
  if (Buffer.byteLength(page) > MAX_PAGE) throw new PaasError('invalid', 'The page is over 64 KiB.');
}
