import type { Activity } from './activity.ts';
import type { DynoManager, RunningCanary } from './formation/dyno-manager.ts';
import type { AppLogs } from './logs/app-log.ts';
import type { KeyedMutex } from './model/mutex.ts';
import { PaasError } from './model/paas-error.ts';
import type { Release } from './model/release.ts';
import type { Canaries, CanaryView } from './platform.ts';
import { NOBODY, type ReleaseManager } from './release-manager.ts';
import type { AppStore } from './store/app-store.ts';
import type { ReleaseStore } from './store/release-store.ts';

/** Fewer requests say nothing. */
const LEAST_REQUESTS = 20;
/** Share of failed requests from which on a canary is given up. */
const MOST_FAILED = 0.05;
/** Router log lines of a canary's dynos: their status. */
const LINE = /^at=\w+ .*\bdyno=canary\.\d+ .*\bstatus=(\d{3})\b/;

export interface AppCanariesOptions {
  apps: AppStore;
  store: ReleaseStore;
  releases: ReleaseManager;
  dynos: DynoManager;
  logs: AppLogs;
  activity: Activity;
  lock: KeyedMutex;
  publishRoutes: () => Promise<void>;
}

/** Releases that only some visitors get at first, until they are promoted, given up, or fail too often. */
export class AppCanaries implements Canaries {
  #options: AppCanariesOptions;
  #counts = new Map<string, { version: number; requests: number; failed: number }>();

  constructor(options: AppCanariesOptions) {
    this.#options = options;
  }

  find(app: string): CanaryView {
    const { canaryShare } = this.#options.apps.find(app);
    const release = this.#options.store.canary(app);
    const counts = this.#counts.get(app);
    const isCounted = release !== undefined && counts?.version === release.version;
    return {
      share: canaryShare,
      release: release?.version,
      requests: isCounted ? counts.requests : 0,
      failed: isCounted ? counts.failed : 0,
    };
  }

  async set(app: string, share: number | undefined, user: string): Promise<void> {
    const { apps, store, activity, lock, publishRoutes } = this.#options;
    apps.find(app);
    if (share !== undefined && (!Number.isInteger(share) || share < 1 || share > 99))
      throw new PaasError('invalid', 'The share of a canary can be from 1% to 99%.');
    if (share === undefined && store.canary(app)) await this.abort(app, user);
    apps.setCanaryShare(app, share);
    const text = share === undefined ? 'Canaries off' : `Canaries get ${share}% of the visitors`;
    activity.note({ app, user, action: 'releases:canary', text });
    await publishRoutes();
    if (store.canary(app)) await lock.run(app, () => this.#scale(app));
  }

  /** Under the app's lock: a canary has as many dynos as its share asks for. */
  async #scale(app: string): Promise<void> {
    const { releases, dynos } = this.#options;
    const canary = this.running(app);
    if (!canary) return;
    const release = releases.require(app);
    await dynos.scale({ release, quantities: releases.quantities(release), canary });
  }

  /** Whether the next release of an app begins as a canary. */
  wanted(app: string): boolean {
    return (
      this.#options.apps.find(app).canaryShare !== undefined &&
      this.#options.releases.current(app) !== undefined
    );
  }

  /** Under the app's lock: boots web dynos of a pending release beside the current one, and records it with `commit`. Throws as a deploy does. */
  async begin(release: Release, commit: () => void): Promise<void> {
    const { dynos, store, logs, activity } = this.#options;
    const { app, version, user } = release;
    const earlier = store.canary(app);
    const { canaryShare = 0 } = this.#options.apps.find(app);
    await dynos.startCanary(release, this.#dynosOf(release), () => {
      store.markCanary(release, () => {
        commit();
        if (!earlier) return;
        const text = `v${earlier.version} given up: v${version} takes its place`;
        activity.note({ app, user, action: 'releases:abort', text });
      });
    });
    this.#counts.set(app, { version, requests: 0, failed: 0 });
    const text = `v${version} gets ${canaryShare}% of the visitors`;
    logs.append(app, { source: 'app', dyno: 'api', text });
  }

  async promote(app: string, user: string): Promise<number> {
    const release = await this.#options.lock.run(app, async () => {
      const release = this.#running(app);
      const { version } = release;
      this.#options.activity.note({ app, user, action: 'releases:promote', text: `v${version} promoted` });
      // One that does not come up in full goes on as the canary that it was.
      await this.#options.releases.activate(release);
      return release;
    });
    await this.#options.releases.finish(release, NOBODY);
    return release.version;
  }

  async abort(app: string, user: string): Promise<number> {
    return this.#options.lock.run(app, () => this.#giveUp(this.#running(app), user, 'given up'));
  }

  /** What the router says of a request: too many failures end the canary. */
  noteLine(app: string, text: string): void {
    const counts = this.#counts.get(app);
    const status = counts && LINE.exec(text)?.[1];
    if (!counts || status === undefined) return;
    counts.requests += 1;
    if (status >= '500') counts.failed += 1;
    if (counts.requests < LEAST_REQUESTS || counts.failed <= counts.requests * MOST_FAILED) return;
    this.#counts.delete(app);
    const why = `given up: ${counts.failed} of ${counts.requests} requests failed`;
    const { version } = counts;
    const giveUp = async () => {
      // The next one may have taken its place meanwhile: it has done nothing.
      const release = this.#options.store.canary(app);
      if (release?.version === version) await this.#giveUp(release, 'canary', why);
    };
    this.#options.lock.run(app, giveUp).catch(() => {});
  }

  /** An app's canary, and how many dynos are its. */
  running(app: string): RunningCanary | undefined {
    const release = this.#options.store.canary(app);
    return release && { release, dynos: this.#dynosOf(release) };
  }

  #dynosOf(release: Release): number {
    const { canaryShare = 0 } = this.#options.apps.find(release.app);
    const wanted = this.#options.releases.quantities(release).web ?? 0;
    return Math.max(1, Math.ceil((wanted * canaryShare) / 100));
  }

  /** After a start of control: requests are counted anew. */
  resume(): void {
    for (const { name } of this.#options.apps.list()) {
      const version = this.#options.store.canary(name)?.version;
      if (version !== undefined) this.#counts.set(name, { version, requests: 0, failed: 0 });
    }
  }

  async #giveUp({ app, version }: Release, user: string, why: string): Promise<number> {
    this.#counts.delete(app);
    const text = `v${version} ${why}`;
    this.#options.store.endCanaries(app, () =>
      this.#options.activity.note({ app, user, action: 'releases:abort', text }),
    );
    await this.#options.dynos.stopCanary(app);
    return version;
  }

  #running(app: string): Release {
    this.#options.apps.find(app);
    const release = this.#options.store.canary(app);
    if (release) return release;
    throw new PaasError(
      'conflict',
      `${app} has no canary. With \`paas releases:canary 10% -a ${app}\` the next push begins as one.`,
    );
  }
}
