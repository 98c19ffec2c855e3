import { createHash } from 'node:crypto';
import type { Activity } from './activity.ts';
import type { AppCatalog } from './app-catalog.ts';
import type { LeavingApps } from './leaving-apps.ts';
import { quote } from './model/app-name.ts';
import { PaasError } from './model/paas-error.ts';
import type { PreviewSettings } from './model/preview-settings.ts';
import type { Previews, PreviewView } from './platform.ts';
import type { AppStore } from './store/app-store.ts';
import type { HttpsStore } from './store/https-store.ts';
import type { PreviewRecord, PreviewStore } from './store/preview-store.ts';
import type { VisitorStore } from './store/visitor-store.ts';

const MAX_AT_ONCE = 50;
/** A shorter time is a mistake, e.g. `--ttl 3` for three days. */
const LEAST_SECONDS = 60;
/** Nobody looks at most previews for most of their life. */
const IDLE_SECONDS = 15 * 60;
const SWEEP_MS = 60_000;

export interface AppPreviewsOptions {
  apps: AppStore;
  visitors: VisitorStore;
  https: HttpsStore;
  catalog: AppCatalog;
  store: PreviewStore;
  leaving: LeavingApps;
  activity: Activity;
  urlOf: (app: string) => string;
  log: (text: string) => void;
}

/** An app of its own for each branch that is pushed: `<app>-<branch>`, with the app's config, gone with the branch or at the end of its time. */
export class AppPreviews implements Previews {
  #options: AppPreviewsOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AppPreviewsOptions) {
    this.#options = options;
  }

  settings(app: string): PreviewSettings | undefined {
    this.#options.apps.find(app);
    return this.#options.store.settings(app);
  }

  list(app: string): PreviewView[] {
    this.#options.apps.find(app);
    return this.#options.store.list(app).map((preview) => this.#view(preview));
  }

  on(app: string, settings: PreviewSettings, user: string): void {
    const { apps, store, activity } = this.#options;
    apps.find(app);
    if (store.has(app)) throw new PaasError('conflict', `${app} is a preview itself.`);
    if (settings.limit < 1 || settings.limit > MAX_AT_ONCE)
      throw new PaasError('invalid', `The limit can be from 1 to ${MAX_AT_ONCE} previews at once.`);
    if (settings.ttl < LEAST_SECONDS)
      throw new PaasError('invalid', 'A preview stays for a minute at least: give a time like 12h or 3d.');
    store.setSettings(app, settings);
    activity.note({ app, user, action: 'previews:on', text: `Previews on, at most ${settings.limit}` });
  }

  async off(app: string, user: string): Promise<void> {
    this.#options.apps.find(app);
    this.#options.store.setSettings(app, undefined);
    this.#options.activity.note({ app, user, action: 'previews:off', text: 'Previews off' });
    await this.removeAll(app, user);
  }

  has(app: string): boolean {
    return this.#options.store.has(app);
  }

  /**
   * The app in which a pushed branch is built, made where there is none; undefined where previews are off. Throws `conflict` where
   * there are too many already, another app has the name, or the app is being destroyed.
   */
  prepare(parent: string, branch: string, user: string): string | undefined {
    const { apps, store, leaving } = this.#options;
    const settings = store.settings(parent);
    if (!settings) return undefined;
    leaving.check(parent);
    const expiresAt = new Date(Date.now() + settings.ttl * 1000);
    const all = store.list(parent);
    const present = all.find((preview) => preview.branch === branch);
    if (present) {
      store.setExpiry(present.app, expiresAt);
      return present.app;
    }
    if (all.length >= settings.limit) throw tooMany(parent, all);
    const app = previewName(parent, branch);
    if (apps.has(app))
      throw new PaasError('conflict', `The preview would be named ${app}, which is another app.`);
    store.inOneStep(() => this.#make({ app, parent, branch, expiresAt }, settings, user));
    return app;
  }

  #make(preview: PreviewRecord, settings: PreviewSettings, user: string): void {
    const { apps, visitors, https, catalog, store, activity } = this.#options;
    const { app, parent } = preview;
    catalog.create(app, user);
    store.add(preview);
    apps.replaceConfig(app, chosen(apps.config(parent), settings.keys));
    apps.setIdleAfter(app, IDLE_SECONDS);
    // It is no more open than its app.
    visitors.set(app, visitors.find(parent));
    // Many come and go, and an authority limits what one domain may have: the others' names are below the same one.
    https.set(app, { automatic: false });
    activity.note({ app: parent, user, action: 'previews:create', text: `Preview ${app} made` });
  }

  /** A branch is no more. */
  async branchDeleted(parent: string, branch: string, user: string): Promise<void> {
    const preview = this.#options.store.list(parent).find((candidate) => candidate.branch === branch);
    if (preview) await this.#options.catalog.destroy(preview.app, user);
  }

  /** Before the app itself goes. */
  async removeAll(parent: string, user: string): Promise<void> {
    for (const { app } of this.#options.store.list(parent)) {
      try {
        await this.#options.catalog.destroy(app, user);
      } catch (error) {
        // Its branch, or its time, was over in the meantime.
        if (!(error instanceof PaasError && error.code === 'not_found')) throw error;
      }
    }
  }

  /** From now on previews go when their time is over. */
  start(): void {
    this.#timer = setInterval(() => void this.sweep(), SWEEP_MS).unref();
  }

  async sweep(now = new Date()): Promise<void> {
    for (const { app, expiresAt } of this.#options.store.list()) {
      if (expiresAt > now) continue;
      try {
        await this.#options.catalog.destroy(app, 'previews');
      } catch (error) {
        this.#options.log(`removing the preview ${app}: ${(error as Error).message}`);
      }
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #view({ app, branch, expiresAt }: PreviewRecord): PreviewView {
    return {
      app,
      branch,
      expiresAt,
      url: this.#options.urlOf(app),
      state: this.#options.catalog.find(app).state,
    };
  }
}

/** `blog-feature-x`; where the branch's name does not fit a host name, with a few digits that tell it from others. */
export function previewName(parent: string, branch: string): string {
  const slug = branch
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  const room = 63 - parent.length - 1;
  if (slug === branch && slug.length <= room) return `${parent}-${slug}`;
  const digits = createHash('sha256').update(branch).digest('hex').slice(0, 4);
  const short = slug.slice(0, Math.max(0, Math.min(room, 40) - 5)).replace(/-+$/, '');
  if (room < 5)
    throw new PaasError(
      'invalid',
      `The name ${quote(parent)} is too long for previews: at most 57 characters.`,
    );
  return `${parent}-${short === '' ? digits : `${short}-${digits}`}`;
}

/** A branch that was never built is none that git could delete, so that is not the only way. */
function tooMany(parent: string, all: PreviewRecord[]): PaasError {
  const { app, branch } = all[0]!;
  const count = all.length === 1 ? '1 preview' : `${all.length} previews`;
  return new PaasError(
    'conflict',
    `${parent} has ${count} already, as many as it may. Delete a branch (git push paas :${branch}) or its app (paas apps:destroy -a ${app}), or allow more (paas previews:on --limit ${all.length + 1} -a ${parent}).`,
  );
}

function chosen(config: Record<string, string>, keys: string[] | undefined): Record<string, string> {
  if (keys === undefined) return config;
  return Object.fromEntries(Object.entries(config).filter(([name]) => keys.includes(name)));
}
