import type { Activity } from './activity.ts';
import { STEP_REPOSITORY } from './build/image-builder.ts';
import { BootFailure } from './formation/boot-failure.ts';
import type { DynoManager } from './formation/dyno-manager.ts';
import type { LeavingApps } from './leaving-apps.ts';
import { checkConfigVars } from './model/config-vars.ts';
import type { KeyedMutex } from './model/mutex.ts';
import { PaasError } from './model/paas-error.ts';
import type { NewRelease, Release } from './model/release.ts';
import { problem } from './model/words.ts';
import type { ConfigVars, ReleaseInfo, Releases, ReleaseView } from './platform.ts';
import type { Audience, ReleaseCommands } from './runs/release-commands.ts';
import type { AppStore } from './store/app-store.ts';
import type { ReleaseStore } from './store/release-store.ts';

/** Of each app's releases, so many can be rolled back to. */
export const KEPT_RELEASES = 10;

export interface ReleaseManagerOptions {
  apps: AppStore;
  releases: ReleaseStore;
  dynos: DynoManager;
  activity: Activity;
  lock: KeyedMutex;
  leaving: LeavingApps;
  onActivated: (app: string) => void;
  hasImage: (image: string) => Promise<boolean>;
  commands: ReleaseCommands;
}

/** Nobody watches a config change or a rollback: what its commands say stands in `releases:output`. */
export const NOBODY: Audience = { write: () => {}, signal: new AbortController().signal };

/** Makes releases and puts them in service: after a build, a config change or a rollback, one at a time an app. */
export class ReleaseManager implements Releases {
  #options: ReleaseManagerOptions;

  constructor(options: ReleaseManagerOptions) {
    this.#options = options;
  }

  list(app: string): ReleaseView[] {
    const { currentRelease } = this.#options.apps.find(app);
    return this.#options.releases.list(app).map((release) => viewOf(release, currentRelease));
  }

  info(app: string, asked: number | undefined): ReleaseInfo {
    const { currentRelease } = this.#options.apps.find(app);
    const version = asked ?? currentRelease;
    if (version === undefined)
      throw new PaasError('not_found', `${app} has no release yet. Push code first: git push paas main`);
    const release = this.#options.releases.find(app, version);
    const { image, processes, config } = release;
    const output = this.#options.releases.output(app, version);
    return { ...viewOf(release, currentRelease), image, processes, config, output };
  }

  /**
   * Under the app's lock: runs what comes before a pending release boots, the predeploy command (its changes become part of the
   * returned release's image) and the release command. Throws `invalid` where one fails: the release has, too.
   */
  async prepare(release: Release, audience: Audience, predeploy?: string): Promise<Release> {
    const { releases, commands } = this.#options;
    let prepared = release;
    if (predeploy !== undefined) {
      const image = { repo: STEP_REPOSITORY, tag: `predeploy-${release.app}-v${release.version}` };
      const step = { name: 'predeploy', command: predeploy, image } as const;
      prepared = releases.setImage(release, await commands.runAndKeep(release, step, audience));
    }
    const command = prepared.processes.release;
    if (command !== undefined) await commands.run(prepared, { name: 'release', command }, audience);
    return prepared;
  }

  /** When a release is live: its postdeploy commands. One that fails is told, and nothing else comes of it. */
  async finish(release: Release, { write, signal }: Audience): Promise<void> {
    const { postdeploy, firstDeploy } = release.hooks;
    const isFirst = firstDeploy !== undefined && this.#options.releases.isFirst(release);
    for (const command of [postdeploy, ...(isFirst ? [firstDeploy] : [])]) {
      if (command === undefined) continue;
      try {
        await this.#options.commands.run(release, { name: 'postdeploy', command }, { write, signal });
      } catch (error) {
        const why = signal.aborted ? 'The postdeploy command was stopped.' : (error as Error).message;
        const text = `${why} v${release.version} serves nevertheless.`;
        write(problem(text));
        this.#options.activity.note({
          app: release.app,
          user: release.user,
          action: 'releases:postdeploy',
          text,
        });
      }
    }
  }

  /** The release that a build made and that served; undefined: none did. */
  ofBuild(app: string, build: number): Release | undefined {
    return this.#options.releases.ofBuild(app, build);
  }

  /** The release that serves. Throws `conflict` where there is none yet. */
  require(app: string): Release {
    const release = this.current(app);
    if (release) return release;
    throw new PaasError('conflict', `${app} has no release yet. Push code first: git push paas main`);
  }

  /** The release that serves, if any. */
  current(app: string): Release | undefined {
    const { currentRelease } = this.#options.apps.find(app);
    return currentRelease === undefined ? undefined : this.#options.releases.find(app, currentRelease);
  }

  /** The formation that this release would have: what was scaled, and one web dyno where nothing was. */
  quantities(release: Release): Record<string, number> {
    const scaled = this.#options.apps.formation(release.app);
    const types = Object.keys(release.processes).filter((type) => type !== 'release');
    return Object.fromEntries(types.map((type) => [type, scaled[type] ?? (type === 'web' ? 1 : 0)]));
  }

  async rollback(app: string, version: number | undefined, user: string): Promise<ReleaseView> {
    const release = await this.#options.lock.run(app, async () => {
      const target = this.#rollbackTarget(app, version);
      if (!(await this.#options.hasImage(target.image))) {
        throw new PaasError(
          'conflict',
          `The code of v${target.version} is no longer kept: only that of the last ${KEPT_RELEASES} releases is. Push it again.`,
        );
      }
      const made = this.create({ ...target, user, description: `Rollback to v${target.version}` });
      const commit = () => this.#options.apps.replaceConfig(app, target.config);
      return this.goLive(made, { commit });
    });
    await this.finish(release, NOBODY);
    return this.#view(release);
  }

  /** Changes config vars: a release with the same code, refused as a whole where the app would not come up with them. */
  async changeConfig(
    app: string,
    options: {
      user: string;
      description: string;
      change: (vars: Record<string, string>) => Record<string, string>;
    },
  ): Promise<ReleaseView | undefined> {
    const release = await this.#options.lock.run(app, async () => {
      const config = options.change(this.#options.apps.config(app));
      checkConfigVars(config);
      const current = this.current(app);
      if (!current) {
        this.#options.apps.replaceConfig(app, config);
        return undefined;
      }
      const { user, description } = options;
      const made = this.create({ ...current, config, user, description });
      return this.goLive(made, { commit: () => this.#options.apps.replaceConfig(app, config) });
    });
    if (!release) return undefined;
    await this.finish(release, NOBODY);
    return this.#view(release);
  }

  /** A pending release, noted in the app's log. Throws `conflict` for an app that is being destroyed. */
  create(wanted: NewRelease): Release {
    this.#options.leaving.check(wanted.app);
    const release = this.#options.releases.create(wanted);
    this.#options.activity.note({
      app: release.app,
      user: release.user,
      action: 'releases:create',
      text: `Release v${release.version} created: ${release.description}`,
    });
    return release;
  }

  /** Under the app's lock: boots it beside what runs, records it, swaps. Throws where it does not come up: it has failed. */
  async activate(release: Release, commit: () => void = () => {}): Promise<void> {
    const { releases, dynos, onActivated } = this.#options;
    const canary = releases.canary(release.app);
    await dynos.replace(release, this.quantities(release), () => {
      releases.activate(release, () => {
        commit();
        if (canary && canary.version !== release.version) this.#noteAbort(canary, release);
      });
    });
    onActivated(release.app);
  }

  /** Under the app's lock: a pending release that no build made, through all that comes before it serves. Throws `invalid` where it does not come to that. */
  async goLive(
    pending: Release,
    { commit, audience = NOBODY }: { commit: () => void; audience?: Audience },
  ): Promise<Release> {
    const { app, version } = pending;
    try {
      const release = await this.prepare(pending, audience);
      await this.activate(release, commit);
      return release;
    } catch (error) {
      const isStopped = audience.signal.aborted && !(error instanceof PaasError);
      const cause = isStopped ? new PaasError('conflict', 'It was stopped.', { cause: error }) : error;
      this.fail(pending, cause);
      const reason = cause instanceof PaasError ? cause.message : 'an internal error';
      const said =
        cause instanceof BootFailure && cause.said.length > 0
          ? `\n${[`${cause.dyno} said:`, ...cause.said].join('\n  ')}`
          : '';
      const rest = this.current(app) ? ' and the old release serves on' : '';
      throw new PaasError(
        'invalid',
        `v${version} did not come up, so nothing was changed${rest}: ${reason} See \`paas logs -a ${app}\`.${said}`,
        { cause },
      );
    }
  }

  /** Of a release that did not come up. `isBuilds`: its build says so. */
  fail(release: Release, error: unknown, { isBuilds = false } = {}): void {
    const { app, version, user } = release;
    const reason = reasonOf(error);
    this.#options.releases.fail(release, reason, () => {
      if (isBuilds) return;
      const text = `Release v${version} failed -- ${reason}`;
      this.#options.activity.note({ app, user, action: 'releases:fail', text });
    });
  }

  /** After a start of control: what an earlier one left half-way never served. `isBuilds`: its build says so. */
  endUnfinished(isBuilds: (release: Release) => boolean): void {
    const error = new PaasError('unavailable', 'The platform was restarted before it served.');
    for (const release of this.#options.releases.pending())
      this.fail(release, error, { isBuilds: isBuilds(release) });
  }

  /** Nobody asked for its end in so many words, so somebody should be able to find it. */
  #noteAbort({ app, version }: Release, { version: next, user }: Release): void {
    const text = `v${version} given up: v${next} goes to all visitors`;
    this.#options.activity.note({ app, user, action: 'releases:abort', text });
  }

  #rollbackTarget(app: string, version: number | undefined): Release {
    const { currentRelease } = this.#options.apps.find(app);
    if (version !== undefined) {
      const target = this.#options.releases.find(app, version);
      if (target.state === 'given up')
        throw new PaasError('invalid', `v${version} was given up as a canary: push its code again.`);
      if (target.state !== 'succeeded')
        throw new PaasError('invalid', `v${version} never came up, so it cannot be rolled back to.`);
      return target;
    }
    const before = this.#options.releases
      .list(app)
      .find((release) => release.state === 'succeeded' && release.version < (currentRelease ?? 0));
    if (!before) throw new PaasError('conflict', `${app} has no earlier release to roll back to.`);
    return before;
  }

  #view(release: Release): ReleaseView {
    return this.list(release.app).find((view) => view.version === release.version)!;
  }
}

function viewOf(release: Release, current: number | undefined): ReleaseView {
  return {
    version: release.version,
    description: release.description,
    user: release.user,
    createdAt: release.createdAt,
    commit: release.commit,
    buildId: release.buildId,
    current: release.version === current,
    pending: release.state === 'pending',
    succeeded: release.state === 'succeeded',
    canary: release.state === 'canary',
    givenUp: release.state === 'given up',
    reason: release.reason,
  };
}

/** For people, in one line. */
export function reasonOf(error: unknown): string {
  return error instanceof PaasError ? error.message.split('\n')[0]! : 'an internal error';
}

/** Config vars of an app, each change a release. */
export class AppConfig implements ConfigVars {
  #apps: AppStore;
  #releases: ReleaseManager;

  constructor(apps: AppStore, releases: ReleaseManager) {
    this.#apps = apps;
    this.#releases = releases;
  }

  all(app: string): Record<string, string> {
    this.#apps.find(app);
    return this.#apps.config(app);
  }

  async set(app: string, vars: Record<string, string>, user: string): Promise<ReleaseView | undefined> {
    this.#apps.find(app);
    checkConfigVars(vars);
    const names = Object.keys(vars);
    if (names.length === 0) throw new PaasError('invalid', 'Nothing to set. Usage: config:set NAME=value …');
    const description = `Set ${names.join(', ')} config vars`;
    return this.#releases.changeConfig(app, { user, description, change: (old) => ({ ...old, ...vars }) });
  }

  async unset(app: string, names: string[], user: string): Promise<ReleaseView | undefined> {
    const present = this.all(app);
    const unknown = names.filter((name) => !Object.hasOwn(present, name));
    if (unknown.length > 0)
      throw new PaasError('not_found', `${app} has no config var ${unknown.join(', ')}.`);
    const description = `Unset ${names.join(', ')} config vars`;
    const change = (old: Record<string, string>) =>
      Object.fromEntries(Object.entries(old).filter(([name]) => !names.includes(name)));
    return this.#releases.changeConfig(app, { user, description, change });
  }
}
