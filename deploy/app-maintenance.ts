import type { Activity } from './activity.ts';
import { PaasError } from './model/paas-error.ts';
import type { Maintenance } from './platform.ts';
import type { AppStore } from './store/app-store.ts';

const MAX_PAGE = 64 * 1024;

export interface AppMaintenanceOptions {
  store: AppStore;
  activity: Activity;
  publishRoutes: () => Promise<void>;
}

/** Visitors get a page of the router's or the app's own while the dynos run on. */
export class AppMaintenance implements Maintenance {
  #options: AppMaintenanceOptions;

  constructor(options: AppMaintenanceOptions) {
    this.#options = options;
  }

  isOn(app: string): boolean {
    return this.#options.store.find(app).maintenance;
  }

  async on(app: string, page: string | undefined, user: string): Promise<void> {
    const { store, activity } = this.#options;
    store.find(app);
    if (page !== undefined) checkPage(page);
    store.setMaintenance(app, { on: true, page });
    activity.note({ app, user, action: 'maintenance:on', text: 'Maintenance mode on' });
    await this.#options.publishRoutes();
  }

  async off(app: string, user: string): Promise<void> {
    const { store, activity } = this.#options;
    store.find(app);
    store.setMaintenance(app, { on: false, page: undefined });
    activity.note({ app, user, action: 'maintenance:off', text: 'Maintenance mode off' });
    await this.#options.publishRoutes();
  }
}

function checkPage(page: string): void {
  if (page.trim() === '') throw new PaasError('invalid', 'The page is empty.');
  if (Buffer.byteLength(page) > MAX_PAGE) throw new PaasError('invalid', 'The page is over 64 KiB.');
}
