import type { LeavingApps } from '../leaving-apps.ts';
import { forEachLimited } from '../model/for-each-limited.ts';
import { BootFailure } from './boot-failure.ts';
import type { Dyno } from './dyno.ts';
import type { DynoRunner } from './dyno-runner.ts';

export interface BootsOptions {
  runner: DynoRunner;
  leaving: LeavingApps;
}

/** Boots that somebody waits for who holds their app's lock: a release's, a restart's, those of a change of the formation. */
export class Boots {
  readonly #runner: DynoRunner;
  readonly #leaving: LeavingApps;
  readonly #booting = new Set<Dyno>();

  constructor({ runner, leaving }: BootsOptions) {
    this.#runner = runner;
    this.#leaving = leaving;
  }

  /**
   * All of them up and `commit` done, or none of them left and the first error thrown: `invalid` with the reason when one does not come up.
   * Throws `conflict` where the app is being destroyed.
   */
  async allOrNone(fresh: Dyno[], commit: () => void = () => {}): Promise<void> {
    await this.#waitingFor(fresh, async () => {
      try {
        await eachByType(fresh, (dyno) => this.#bootOrThrow(dyno));
        commit();
      } catch (error) {
        await Promise.all(fresh.map((dyno) => this.#abandon(dyno)));
        throw error;
      }
    });
  }

  /** `boot` for each, all types at once. Throws `conflict` where the app is being destroyed. */
  each(dynos: Dyno[], boot: (dyno: Dyno) => Promise<void>): Promise<void> {
    return this.#waitingFor(dynos, () => eachByType(dynos, boot));
  }

  /** Gives them up: whoever waits is told that they did not come up. */
  async abandon(app: string): Promise<void> {
    const booting = [...this.#booting].filter((dyno) => dyno.app === app);
    for (const { container } of booting)
      if (container) container.killedFor ??= 'was stopped before it was up';
    await Promise.all(booting.map((dyno) => this.#abandon(dyno)));
  }

  /** While `work` waits for these dynos they can be given up. */
  async #waitingFor(dynos: Dyno[], work: () => Promise<void>): Promise<void> {
    for (const { app } of dynos) this.#leaving.check(app);
    for (const dyno of dynos) this.#booting.add(dyno);
    try {
      await work();
    } finally {
      for (const dyno of dynos) this.#booting.delete(dyno);
    }
  }

  async #bootOrThrow(dyno: Dyno): Promise<void> {
    const container = await this.#runner.start(dyno);
    if (await this.#runner.waitUntilUp(dyno, { replaces: true })) return;
    const exit = await container.ended;
    // Whoever has given it up says so.
    if (dyno.state !== 'stopping') await this.#runner.sayExit(dyno, container);
    throw new BootFailure(dyno, container, exit);
  }

  async #abandon(dyno: Dyno): Promise<void> {
    await this.#runner.stop(dyno).catch(() => {});
  }
}

/** All types at once, and of each as many dynos as may boot at once. */
async function eachByType(dynos: Dyno[], work: (dyno: Dyno) => Promise<void>): Promise<void> {
  const types = Map.groupBy(dynos, ({ type }) => type);
  const each = [...types].map(([type, own]) => {
    const limit = own[0]!.release.maxParallel[type] ?? own.length;
    return forEachLimited(own, limit, work);
  });
  await Promise.all(each);
}
