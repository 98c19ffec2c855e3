import { totalmem } from 'node:os';
import type { Activity } from '../activity.ts';
import type { Engine } from '../engine.ts';
import { DEFAULT_MEMORY, type DynoLimits } from '../model/dyno-limits.ts';
import type { KeyedMutex } from '../model/mutex.ts';
import { PaasError } from '../model/paas-error.ts';
import { unknownType } from '../model/unknown-type.ts';
import type { Limits, LimitsView } from '../platform.ts';
import type { ReleaseManager } from '../release-manager.ts';
import type { AppStore } from '../store/app-store.ts';
import type { DynoManager } from './dyno-manager.ts';

/** A process of any language needs this to start. */
const LEAST_MEMORY = 16 * 1024 ** 2;
const LEAST_CPU = 0.01;
/** The limits of one-off dynos stand under this type. */
const ONE_OFF = 'run';

export interface AppLimitsOptions {
  store: AppStore;
  activity: Activity;
  engine: Engine;
  dynos: DynoManager;
  releases: ReleaseManager;
  lock: KeyedMutex;
}

/** How much of the machine a dyno of each process type may have. */
export class AppLimits implements Limits {
  #options: AppLimitsOptions;

  constructor(options: AppLimitsOptions) {
    this.#options = options;
  }

  list(app: string): LimitsView[] {
    this.#options.store.find(app);
    const set = this.#options.store.limits(app);
    return this.#types(app).map((type) => ({
      type,
      memory: set[type]?.memory ?? DEFAULT_MEMORY,
      cpu: set[type]?.cpu,
    }));
  }

  async set(app: string, type: string, change: DynoLimits, user: string): Promise<LimitsView[]> {
    const { store, lock, activity } = this.#options;
    store.find(app);
    this.#checkType(app, type, this.#types(app));
    check(change);
    return lock.run(app, async () => {
      store.find(app);
      store.setLimits(app, type, { ...store.limits(app)[type], ...change });
      activity.note({ app, user, action: 'limits:set', text: `Limits of ${type} set` });
      await this.#apply(app, type);
      return this.list(app);
    });
  }

  async clear(app: string, type: string, user: string): Promise<LimitsView[]> {
    const { store, lock, activity } = this.#options;
    store.find(app);
    // Those of a type that the code has no more can be cleared, too.
    const set = Object.entries(store.limits(app)).filter(([, limits]) => Object.keys(limits).length > 0);
    this.#checkType(app, type, [...this.#types(app), ...set.map(([name]) => name)]);
    return lock.run(app, async () => {
      store.find(app);
      store.setLimits(app, type, {});
      activity.note({ app, user, action: 'limits:clear', text: `Limits of ${type} cleared` });
      await this.#apply(app, type);
      return this.list(app);
    });
  }

  /** To the dynos that run, without a restart. */
  async #apply(app: string, type: string): Promise<void> {
    const { dynos, engine, store } = this.#options;
    const limits = store.limits(app)[type] ?? {};
    for (const dyno of dynos.list(app)) {
      if (dyno.type !== type || !dyno.container || dyno.container.exit) continue;
      try {
        await engine.update(dyno.container.id, { memory: limits.memory ?? DEFAULT_MEMORY, cpu: limits.cpu });
      } catch (cause) {
        throw new PaasError(
          'conflict',
          `The limits are kept, but ${dyno.name} could not take them while it runs: ${(cause as Error).message} It gets them with \`paas ps:restart ${type} -a ${app}\`.`,
          { cause },
        );
      }
    }
  }

  #checkType(app: string, type: string, known: string[]): void {
    if (known.includes(type)) return;
    throw unknownType(type, this.#types(app));
  }

  #types(app: string): string[] {
    const release = this.#options.releases.current(app);
    const types = release ? Object.keys(this.#options.releases.quantities(release)) : ['web'];
    return [...types, ONE_OFF];
  }
}

function check({ memory, cpu }: DynoLimits): void {
  if (memory !== undefined && (memory < LEAST_MEMORY || memory > totalmem())) {
    throw new PaasError(
      'invalid',
      `A dyno's memory can be from 16 MB to what this machine has, ${Math.floor(totalmem() / 1024 ** 2)} MB.`,
    );
  }
  if (cpu !== undefined && (!Number.isFinite(cpu) || cpu < LEAST_CPU || cpu > 1024)) {
    throw new PaasError(
      'invalid',
      'A dyno can have from 0.01 cores to all that this machine has, e.g. --cpu 0.5.',
    );
  }
}
