import type { ContainerSummary, Engine } from '../engine.ts';
import type { LeavingApps } from '../leaving-apps.ts';
import type { AppLogs } from '../logs/app-log.ts';
import { forEachLimited } from '../model/for-each-limited.ts';
import { PaasError } from '../model/paas-error.ts';
import type { Release } from '../model/release.ts';
import type { DynoAddress } from '../model/router.ts';
import { Boots } from './boots.ts';
import { Dyno, restartDelay, WEB_PORT } from './dyno.ts';
import type { DynoRunner } from './dyno-runner.ts';

/** Longest wait for requests in flight before a dyno is told to stop. */
const DRAIN_MS = 30_000;
/** Between SIGTERM and SIGKILL, for a dyno of an earlier control. */
const STOP_SECONDS = 30;
const ADOPTED_AT_ONCE = 16;

/** An app as control's record has it, for which containers may run. */
export interface ResumedApp {
  release: Release;
  quantities: Record<string, number>;
  /** Its web dynos may be without containers. */
  idles: boolean;
  canary: RunningCanary | undefined;
}

/** A release that some visitors get, and how many web dynos are its. */
export interface RunningCanary {
  release: Release;
  dynos: number;
}

export interface DynoManagerOptions {
  engine: Engine;
  runner: DynoRunner;
  logs: AppLogs;
  /** For the operator. */
  log: (text: string) => void;
  leaving: LeavingApps;
  /** Brings the router up to date; resolves when it is. */
  publishRoutes: () => Promise<void>;
  /** Takes up a one-off dyno that should go on; false where the container is none. */
  adoptRun: (container: ContainerSummary) => Promise<boolean>;
  inFlight: (dynos: DynoAddress[]) => Promise<number>;
  drain: (dynos: DynoAddress[], milliseconds: number) => Promise<void>;
}

/** The dynos of all apps: which run, which replace which, and what happens when one ends by itself. */
export class DynoManager {
  #options: DynoManagerOptions;
  #dynos = new Map<string, Dyno[]>();
  #retiring = new Set<Promise<void>>();
  /** Those that go as soon as the router leads to them no more. */
  #replaced = new Set<Dyno>();
  #boots: Boots;

  constructor(options: DynoManagerOptions) {
    this.#options = options;
    this.#boots = new Boots(options);
  }

  /** Those that count (not the retiring ones), by type and number; canaries after the others of their type. */
  list(app: string): Dyno[] {
    const rank = ({ canary, number }: Dyno) => (canary ? 1e6 : 0) + number;
    return [...(this.#dynos.get(app) ?? [])].sort(
      (a, b) => a.type.localeCompare(b.type) || rank(a) - rank(b),
    );
  }

  /**
   * Boots a whole formation of the release beside the old one. When all of it is up, `commit` runs, the router
   * swaps in one step, and the old dynos drain and stop behind the caller's back. Throws `invalid` with the
   * reason when a dyno does not come up, and whatever `commit` throws; then the new ones are gone and the old ones
   * serve on.
   */
  async replace(release: Release, quantities: Record<string, number>, commit: () => void): Promise<void> {
    const fresh = wantedDynos(release, quantities);
    await this.#boots.allOrNone(fresh, commit);
    const old = this.#dynos.get(release.app) ?? [];
    this.#dynos.set(release.app, fresh);
    for (const dyno of fresh) this.#watch(dyno);
    await this.#swap(old);
  }

  /**
   * Starts and stops only the difference; resolves when the new web dynos are up or have failed. Throws `conflict` where the app
   * is being destroyed by then.
   */
  async scale({
    release,
    quantities,
    canary,
  }: Pick<ResumedApp, 'release' | 'quantities' | 'canary'>): Promise<void> {
    const present = this.#dynos.get(release.app) ?? [];
    const wanted = allDynos({ release, quantities, canary });
    const surplus = present.filter((dyno) => !wanted.some((other) => isSamePlace(dyno, other)));
    const missing = wanted.filter((dyno) => !present.some((other) => isSamePlace(dyno, other)));
    this.#dynos.set(release.app, [...present.filter((dyno) => !surplus.includes(dyno)), ...missing]);
    await this.#swap(surplus);
    // Who answers while others sleep would wake none of them.
    if (missing.some(({ isWeb }) => isWeb)) void this.wake(release.app);
    await this.#boots.each(missing, (dyno) => this.#startWatched(dyno));
    this.#options.leaving.check(release.app);
  }

  /** Boots `count` web dynos of a release beside all others, in the place of an earlier canary's; as `replace`. */
  async startCanary(release: Release, count: number, commit: () => void): Promise<void> {
    const fresh = canaryDynos(release, count);
    await this.#boots.allOrNone(fresh, commit);
    const present = this.#dynos.get(release.app) ?? [];
    const old = present.filter((dyno) => dyno.canary);
    this.#dynos.set(release.app, [...present.filter((dyno) => !dyno.canary), ...fresh]);
    for (const dyno of fresh) this.#watch(dyno);
    await this.#swap(old);
  }

  async stopCanary(app: string): Promise<void> {
    const present = this.#dynos.get(app) ?? [];
    const canary = present.filter((dyno) => dyno.canary);
    this.#dynos.set(
      app,
      present.filter((dyno) => !dyno.canary),
    );
    await this.#swap(canary);
  }

  /** Replaces the chosen dynos, each by a new one of the same release that is up before the old one stops. */
  async restart(app: string, target: string | undefined): Promise<void> {
    const chosen = this.list(app).filter(
      (dyno) => target === undefined || dyno.type === target || dyno.name === target,
    );
    if (chosen.length === 0 && target !== undefined) {
      throw new PaasError(
        'not_found',
        `${app} has no running dyno ${JSON.stringify(target)}. \`paas ps -a ${app}\` lists them.`,
      );
    }
    const fresh = chosen.map((dyno) => dyno.again());
    await this.#boots.allOrNone(fresh);
    const kept = (this.#dynos.get(app) ?? []).filter((dyno) => !chosen.includes(dyno));
    this.#dynos.set(app, [...kept, ...fresh]);
    for (const dyno of fresh) this.#watch(dyno);
    await this.#swap(chosen);
    if (chosen.some((dyno) => dyno.isWeb)) void this.wake(app);
  }

  /** The health checks of an app have changed. */
  checkAnew(app: string): void {
    for (const dyno of this.list(app)) this.#options.runner.checkAnew(dyno);
  }

  /** True where an app's web dynos are without containers until the next request. */
  isIdle(app: string): boolean {
    return this.list(app).some((dyno) => dyno.state === 'idle');
  }

  /** Lets the web dynos of an app go until `wake`; false where one is not up, or a request is in flight. */
  async sleep(app: string): Promise<boolean> {
    const web = this.list(app).filter((dyno) => dyno.isWeb);
    const addresses = web.flatMap((dyno) => addressOf(dyno) ?? []);
    if (web.length === 0 || web.some((dyno) => dyno.state !== 'up' || dyno.canary)) return false;
    if ((await this.#options.inFlight(addresses)) > 0) return false;
    const present = this.#dynos.get(app) ?? [];
    if (web.some((dyno) => !present.includes(dyno) || dyno.state !== 'up')) return false;
    this.#dynos.set(
      app,
      present.map((dyno) => (web.includes(dyno) ? dyno.asIdle() : dyno)),
    );
    await this.#swap(web);
    return true;
  }

  /** Starts the dynos that `sleep` let go; resolves when they are up or have failed. */
  async wake(app: string): Promise<void> {
    const idle = this.list(app).filter((dyno) => dyno.state === 'idle');
    for (const dyno of idle) dyno.become('starting');
    await Promise.all(idle.map((dyno) => this.#startWatched(dyno)));
  }

  /** Gives up what boots in a release, a restart or a change of the formation: whoever waits for that is told that it did not come up. */
  abandonBoots(app: string): Promise<void> {
    return this.#boots.abandon(app);
  }

  /** Stops all of an app's dynos and waits until they are gone. */
  async stopAll(app: string): Promise<void> {
    const replaced = [...this.#replaced].filter((dyno) => dyno.app === app);
    for (const dyno of replaced) this.#replaced.delete(dyno);
    const old = [...(this.#dynos.get(app) ?? []), ...replaced];
    this.#dynos.delete(app);
    await this.#options.publishRoutes();
    await Promise.all(old.map((dyno) => this.#options.runner.stop(dyno)));
  }

  /**
   * After a start of control: takes up the containers of the current releases, publishes them, starts what is
   * missing (but for web dynos of an app that idles: they come with the next request), and ends what belongs to nothing (dynos of a release
   * that was being replaced, a deploy that was cut off, builds, one-off dynos).
   */
  async resume(current: ResumedApp[]): Promise<void> {
    const containers = await this.#options.engine.list(['paas.kind']);
    const adopted = new Set<string>();
    const found: [Dyno, string][] = [];
    const missing: Dyno[] = [];
    for (const { release, quantities, idles, canary } of current) {
      const dynos = allDynos({ release, quantities, canary });
      this.#dynos.set(release.app, dynos);
      const empty = dynos.filter((dyno) => {
        const container = containers.find(
          ({ id, labels, running }) => running && !adopted.has(id) && isOf(labels, dyno),
        );
        if (container) found.push([dyno, container.id]);
        if (container) adopted.add(container.id);
        return !container;
      });
      // All are asleep, or none is: who answers while others sleep wakes nobody.
      const sleeps = idles && dynos.every((dyno) => !dyno.isWeb || empty.includes(dyno));
      for (const dyno of empty) {
        if (sleeps && dyno.isWeb) dyno.state = 'idle';
        else missing.push(dyno);
      }
    }
    await forEachLimited(found, ADOPTED_AT_ONCE, ([dyno, id]) => this.#adopt(dyno, id));
    await this.#options.publishRoutes();
    for (const [dyno] of found) if (dyno.state === 'starting') void this.#waitFor(dyno);
    const rest = containers.filter((container) => !adopted.has(container.id));
    for (const container of rest) this.#inBackground(this.#endStray(container));
    await Promise.all(missing.map((dyno) => this.#startWatched(dyno)));
  }

  /** A web dyno that does not listen yet was just starting when the last control died. */
  async #adopt(dyno: Dyno, id: string): Promise<void> {
    await this.#options.runner.adopt(dyno, id);
    this.#watch(dyno);
  }

  /** Requests may be in flight to a dyno: they end, and it is told to stop, as if control had not died. */
  async #endStray({ id, labels, running }: ContainerSummary): Promise<void> {
    const { engine, adoptRun, drain } = this.#options;
    if (running && (await adoptRun({ id, labels, running }))) return;
    if (running && labels['paas.kind'] === 'dyno') {
      const { address } = await engine.inspect(id);
      if (address !== undefined) await drain([{ address, port: WEB_PORT }], DRAIN_MS);
      await engine.stop(id, STOP_SECONDS);
    }
    await engine.remove(id);
  }

  /** Resolves when no retired dyno is left running. */
  async settled(): Promise<void> {
    await Promise.all(this.#retiring);
  }

  /** Start, wait, watch; a failure is a crash like any other. */
  async #startWatched(dyno: Dyno): Promise<void> {
    if (dyno.state === 'stopping') return;
    try {
      await this.#options.runner.start(dyno);
    } catch (error) {
      if (dyno.state === 'starting') this.#crashed(dyno, (error as Error).message);
      return;
    }
    this.#watch(dyno);
    await this.#waitFor(dyno);
  }

  async #waitFor(dyno: Dyno): Promise<void> {
    if (await this.#options.runner.waitUntilUp(dyno)) await this.#options.publishRoutes();
  }

  #watch(dyno: Dyno): void {
    const container = dyno.container!;
    container.ended.then(async (exit) => {
      if (dyno.state === 'stopping' || dyno.container !== container) return;
      const before = dyno.state;
      const how = `exited with status ${exit.code}${exit.oomKilled ? ' (out of memory)' : ''}`;
      this.#crashed(dyno, container.killedFor ?? how);
      await this.#options.runner.sayExit(dyno, container);
      this.#options.logs.append(dyno.app, {
        source: 'paas',
        dyno: dyno.name,
        text: `State changed from ${before} to crashed`,
      });
      await this.#options.runner.discard(container).catch(() => {});
    });
  }

  #crashed(dyno: Dyno, reason: string): void {
    if (Date.now() - dyno.since.getTime() > 300_000) dyno.crashes = 0;
    dyno.become('crashed', reason);
    dyno.crashes += 1;
    const delay = restartDelay(dyno.crashes);
    dyno.restartsAtOnce = delay === 0;
    dyno.restartsAt = new Date(Date.now() + delay);
    this.#options.publishRoutes().catch(() => {});
    dyno.restart = setTimeout(() => void this.#restartCrashed(dyno), delay);
  }

  async #restartCrashed(dyno: Dyno): Promise<void> {
    if (dyno.state !== 'crashed') return;
    dyno.become('starting');
    await this.#startWatched(dyno);
  }

  /**
   * Brings the router up to date, and lets those go that are replaced. Where it refuses its table they serve on until it takes another one:
   * what stands in the record by now is not undone.
   */
  async #swap(old: Dyno[]): Promise<void> {
    for (const dyno of old) this.#replaced.add(dyno);
    const gone = [...this.#replaced];
    try {
      await this.#options.publishRoutes();
    } catch (error) {
      const why = `the router did not take its new table: ${(error as Error).message}`;
      this.#options.log(why);
      const text = `Visitors get the dynos of before, as ${why}`;
      for (const app of new Set(old.map((dyno) => dyno.app)))
        this.#options.logs.append(app, { source: 'paas', dyno: 'router', text });
      return;
    }
    this.#retire(gone.filter((dyno) => this.#replaced.delete(dyno)));
  }

  /** Lets requests in flight end, then stops; not waited for. */
  #retire(dynos: Dyno[]): void {
    for (const dyno of dynos) this.#inBackground(this.#retireOne(dyno));
  }

  #inBackground(work: Promise<void>): void {
    const done = work.catch(() => {}).finally(() => this.#retiring.delete(done));
    this.#retiring.add(done);
  }

  async #retireOne(dyno: Dyno): Promise<void> {
    const address = addressOf(dyno);
    const draining = dyno.isWeb && dyno.state === 'up' && address !== undefined;
    clearTimeout(dyno.restart);
    if (dyno.state !== 'stopping') dyno.become('stopping');
    if (draining) await this.#options.drain([address], DRAIN_MS);
    await this.#options.runner.stop(dyno);
  }
}

function addressOf(dyno: Dyno): DynoAddress | undefined {
  const address = dyno.container?.address;
  return address === undefined ? undefined : { address, port: WEB_PORT };
}

function allDynos({
  release,
  quantities,
  canary,
}: Pick<ResumedApp, 'release' | 'quantities' | 'canary'>): Dyno[] {
  const canaries = canary ? canaryDynos(canary.release, canary.dynos) : [];
  return [...wantedDynos(release, quantities), ...canaries];
}

function isSamePlace(one: Dyno, other: Dyno): boolean {
  return one.type === other.type && one.number === other.number && one.canary === other.canary;
}

function wantedDynos(release: Release, quantities: Record<string, number>): Dyno[] {
  const types = Object.keys(release.processes).filter((type) => type !== 'release');
  return types.flatMap((type) =>
    Array.from({ length: quantities[type] ?? 0 }, (_, index) => new Dyno(release, type, index + 1)),
  );
}

function canaryDynos(release: Release, count: number): Dyno[] {
  return Array.from({ length: count }, (_, index) => new Dyno(release, 'web', index + 1, { canary: true }));
}

function isOf(labels: Record<string, string>, dyno: Dyno): boolean {
  return (
    labels['paas.kind'] === 'dyno' &&
    labels['paas.app'] === dyno.app &&
    labels['paas.type'] === dyno.type &&
    labels['paas.number'] === String(dyno.number) &&
    labels['paas.release'] === String(dyno.release.version)
  );
}
