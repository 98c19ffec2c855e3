import type { Activity } from './activity.ts';
import type { DynoManager } from './formation/dyno-manager.ts';
import type { LeavingApps } from './leaving-apps.ts';
import type { AppLogs } from './logs/app-log.ts';
import { parseAppName } from './model/app-name.ts';
import type { KeyedMutex } from './model/mutex.ts';
import { PaasError } from './model/paas-error.ts';
import type { AppState, AppSummary, Apps } from './platform.ts';
import type { BuildOutputs } from './queue/build-output.ts';
import type { Repositories } from './receive/repositories.ts';
import type { ReleaseManager } from './release-manager.ts';
import type { AppRecord, AppStore } from './store/app-store.ts';
import type { BuildStore } from './store/build-store.ts';

export interface AppCatalogOptions {
  store: AppStore;
  builds: BuildStore;
  outputs: BuildOutputs;
  releases: ReleaseManager;
  dynos: DynoManager;
  repositories: Repositories;
  logs: AppLogs;
  activity: Activity;
  lock: KeyedMutex;
  leaving: LeavingApps;
  urlOf: (app: string) => string;
  /** Removes what stands and falls with an app. */
  removeDependents: (app: string, user: string) => Promise<void>;
  onDestroyed: () => void;
  stopRuns: (app: string) => Promise<void>;
  removeNetwork: (app: string) => Promise<void>;
  cancelBuilds: (app: string, user: string) => Promise<void>;
  publishRoutes: () => Promise<void>;
}

/** Apps as a whole: made, listed, destroyed. */
export class AppCatalog implements Apps {
  #options: AppCatalogOptions;

  constructor(options: AppCatalogOptions) {
    this.#options = options;
  }

  list(): AppSummary[] {
    return this.#options.store.list().map((app) => this.#summary(app));
  }

  find(name: string): AppSummary {
    return this.#summary(this.#options.store.find(name));
  }

  create(name: string, user: string): AppSummary {
    const { store, logs } = this.#options;
    store.create(parseAppName(name), user);
    // The last lines of an old app of this name may have come when it was gone.
    logs.remove(name);
    this.#options.activity.note({ app: name, user, action: 'apps:create', text: 'App created' });
    this.#options.publishRoutes().catch(() => {});
    return this.find(name);
  }

  async destroy(name: string, user: string): Promise<void> {
    const { store, dynos, lock, leaving } = this.#options;
    const { createdAt } = store.find(name);
    await leaving.during(name, async () => {
      await this.#options.removeDependents(name, user);
      await this.#options.cancelBuilds(name, user);
      // A change of its config may wait for a release command that hangs, or for a boot.
      await Promise.all([this.#options.stopRuns(name), dynos.abandonBoots(name)]);
      await lock.run(name, async () => {
        // Somebody else may have been faster, and the name be another app's now.
        if (store.find(name).createdAt.getTime() !== createdAt.getTime())
          throw new PaasError('conflict', `The app "${name}" is a new one by now: it was not destroyed.`);
        await this.#remove(name, user);
      });
    });
    this.#options.onDestroyed();
    await this.#options.publishRoutes();
  }

  /** Under the app's lock. */
  async #remove(name: string, user: string): Promise<void> {
    const { store, builds, outputs, dynos, repositories, logs } = this.#options;
    const built = builds.list(name);
    await Promise.all([dynos.stopAll(name), this.#options.stopRuns(name)]);
    await this.#options.removeNetwork(name);
    store.remove(name);
    this.#options.activity.record({ app: name, user, action: 'apps:destroy', text: 'App destroyed' });
    for (const build of built) outputs.remove(build.id);
    await repositories.remove(name);
    logs.remove(name);
  }

  #summary(app: AppRecord): AppSummary {
    const release = this.#options.releases.current(app.name);
    const dynos = this.#options.dynos.list(app.name);
    const running = dynos.filter((dyno) => dyno.state === 'up').length;
    return {
      name: app.name,
      state: release === undefined ? 'no release' : stateOf(dynos.map((dyno) => dyno.state)),
      dynos: { running, wanted: dynos.length },
      release: release?.version,
      releasedAt: release?.createdAt,
      createdAt: app.createdAt,
      url: this.#options.urlOf(app.name),
    };
  }
}

function stateOf(dynos: string[]): AppState {
  if (dynos.length === 0) return 'stopped';
  if (dynos.includes('crashed')) return 'crashed';
  if (dynos.includes('starting')) return 'starting';
  return dynos.includes('idle') && !dynos.includes('up') ? 'idle' : 'up';
}
