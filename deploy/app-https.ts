import type { Activity } from './activity.ts';
import { PaasError } from './model/paas-error.ts';
import type { AppRoute } from './model/router.ts';
import type { Https, HttpsSettings } from './platform/certificates.ts';
import type { AppStore } from './store/app-store.ts';
import type { HttpsStore } from './store/https-store.ts';

const MAX_HSTS = 315_360_000;

export interface AppHttpsOptions {
  store: AppStore;
  https: HttpsStore;
  activity: Activity;
  publishRoutes: () => Promise<void>;
}

/** Whether visitors are sent to HTTPS, and kept there. */
export class AppHttps implements Https {
  #options: AppHttpsOptions;

  constructor(options: AppHttpsOptions) {
    this.#options = options;
  }

  find(app: string): HttpsSettings {
    const { redirect, hsts } = this.#options.https.find(this.#options.store.find(app).name);
    return { redirect, hsts };
  }

  async setRedirect(app: string, on: boolean, user: string): Promise<void> {
    const { store, https, activity, publishRoutes } = this.#options;
    https.set(store.find(app).name, { redirect: on });
    activity.note({ app, user, action: 'https:redirect', text: `Redirect to HTTPS ${on ? 'on' : 'off'}` });
    await publishRoutes();
  }

  async setHsts(app: string, seconds: number | undefined, user: string): Promise<void> {
    const { store, https, activity, publishRoutes } = this.#options;
    store.find(app);
    if (seconds !== undefined && seconds > MAX_HSTS)
      throw new PaasError('invalid', `HSTS can be for at most ${MAX_HSTS} seconds, which are ten years.`);
    https.set(app, { hsts: seconds });
    const text = seconds === undefined ? 'HSTS off' : `HSTS for ${seconds} seconds`;
    activity.note({ app, user, action: 'https:hsts', text });
    await publishRoutes();
  }
}

/** For the router; undefined where nothing is set. */
export function httpsRoute({ redirect, hsts }: HttpsSettings): AppRoute['https'] {
  if (!redirect && hsts === undefined) return undefined;
  return { redirect, ...(hsts !== undefined && { hsts }) };
}
