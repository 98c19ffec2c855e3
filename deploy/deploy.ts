import { type AppJson, parseAppJson } from '../buildpacks/app-json.ts';
import { type BuildContext, type Buildpack, BuildpackError } from '../buildpacks/buildpack.ts';
import { detectBuildpack } from '../buildpacks/order.ts';
import { type ProcessTypes, processTypes } from '../buildpacks/process-types.ts';
import type { ImageBuilder } from './build/image-builder.ts';
import type { AppCanaries } from './canary.ts';
import { parseCronJob } from './cron/schedule.ts';
import { firstConfig } from './first-config.ts';
import { BootFailure } from './formation/boot-failure.ts';
import type { CronEntry } from './model/cron-entry.ts';
import type { KeyedMutex } from './model/mutex.ts';
import { PaasError } from './model/paas-error.ts';
import type { Release } from './model/release.ts';
import { detail, section } from './model/words.ts';
import type { BuildView } from './platform.ts';
import type { BuildOutput } from './queue/build-output.ts';
import type { GitTree } from './receive/git-tree.ts';
import type { ReleaseManager } from './release-manager.ts';
import type { Stages } from './stages.ts';

export interface DeployOptions {
  builder: ImageBuilder;
  context: BuildContext;
  releases: ReleaseManager;
  canaries: AppCanaries;
  lock: KeyedMutex;
  /** Gives up what boots to take the place of an app's dynos. */
  abandonBoots: (app: string) => Promise<void>;
  configOf: (app: string) => Record<string, string>;
  /** For the first release of an app, where nobody has scaled yet. */
  setFormation: (app: string, quantities: Record<string, number>) => void;
  /** The same of its config vars. */
  setConfig: (app: string, config: Record<string, string>) => void;
  /** `http://app.example.com/` */
  urlOf: (app: string) => string;
  /** A preview runs no cron jobs: they would be done twice. */
  isPreview: (app: string) => boolean;
}

export interface Push {
  build: BuildView;
  tree: GitTree;
  output: BuildOutput;
  stages: Stages;
  signal: AbortSignal;
  /** In the transaction in which its release goes live. */
  onLive: () => void;
}

/** What of a push is known when its image is made. */
interface Compiled {
  image: string;
  types: ProcessTypes;
  appJson: AppJson;
  cron: CronEntry[];
}

/** The way of a push, from the source to the answer: every step in order, each timed for the build's record. */
export async function deploy(push: Push, options: DeployOptions): Promise<Release> {
  const { build, output, signal } = push;
  const write = (text: string) => output.write(text);
  write(section('Building on the Debian 12 stack'));
  const buildpack = detect(push.tree);
  write(section(`${buildpack.name} app detected`));
  write('\n');
  const compiled = await compile(buildpack, push, options);
  describeTypes(compiled.types, write);
  const live = await options.lock.run(build.app, () => launch(compiled, push, options));
  if (options.releases.current(build.app)?.version === live.version)
    await options.releases.finish(live, { write, signal });
  write('\n');
  return live;
}

async function compile(buildpack: Buildpack, push: Push, options: DeployOptions): Promise<Compiled> {
  const { build, output, stages, tree, signal } = push;
  try {
    const plan = await stages.time('plan', () => buildpack.plan(tree, options.context));
    const types = await processTypes(tree, plan);
    const appJson = await readAppJson(tree);
    const cron = options.isPreview(build.app) ? [] : appJson.cron.map(parseCronJob);
    const write = (text: string) => output.write(text);
    // Before the build, which would be for nothing.
    if (isNew(build.app, options)) firstConfig(build.app, appJson.env, options.configOf(build.app));
    const image = await stages.time('build', () =>
      options.builder.build({ plan, tree, app: build.app, write, signal }),
    );
    return { image, types, appJson, cron };
  } catch (error) {
    throw explain(error, buildpack);
  }
}

/** Under the app's lock: a release of what was built, which serves when this resolves, all visitors or some. */
async function launch(
  { image, types, appJson, cron }: Compiled,
  push: Push,
  options: DeployOptions,
): Promise<Release> {
  const { build, output, signal } = push;
  const write = (text: string) => output.write(text);
  signal.throwIfAborted();
  write(section('Launching'));
  if (isNew(build.app, options)) begin(push, appJson, options);
  const created = options.releases.create({
    app: build.app,
    description: `Deploy ${build.commit.slice(0, 8)}`,
    user: build.user,
    commit: build.commit,
    buildId: build.id,
    image,
    processes: types.commands,
    config: options.configOf(build.app),
    cron,
    checks: appJson.checks,
    hooks: appJson.hooks,
    maxParallel: appJson.maxParallel,
  });
  try {
    const release = await prepare(created, appJson.predeploy, push, options);
    await goLive(release, push, options);
    return release;
  } catch (error) {
    options.releases.fail(created, error, { isBuilds: true });
    throw error;
  }
}

/** To all visitors or some. */
async function goLive(release: Release, push: Push, options: DeployOptions): Promise<void> {
  const { build, output, signal } = push;
  const write = (text: string) => output.write(text);
  const commit = () => {
    signal.throwIfAborted();
    push.onLive();
  };
  if (options.canaries.wanted(build.app)) {
    await boot(push, options, () => options.canaries.begin(release, commit));
    const { share } = options.canaries.find(build.app);
    write(detail(`Released v${release.version} to ${share}% of the visitors`));
    write(detail(`Give it to all: paas releases:promote -a ${build.app}`));
    return;
  }
  await boot(push, options, () => options.releases.activate(release, commit));
  write(detail(`Released v${release.version}`));
  write(detail(`${options.urlOf(build.app)} deployed`));
}

function isNew(app: string, { releases }: DeployOptions): boolean {
  return releases.current(app) === undefined;
}

/** What app.json gives an app that has no release yet. */
function begin({ build: { app }, output }: Push, { formation, env }: AppJson, options: DeployOptions): void {
  options.setFormation(app, formation);
  const present = options.configOf(app);
  const added = firstConfig(app, env, present);
  const names = Object.keys(added).join(', ');
  if (names === '') return;
  options.setConfig(app, { ...present, ...added });
  output.write(detail(`Set config vars of app.json: ${names}`));
}

/** The pusher reads what a dyno that does not come up said. One that was stopped waits for none. */
async function boot(
  { build: { app }, stages, output, signal }: Push,
  { abandonBoots }: DeployOptions,
  work: () => Promise<void>,
): Promise<void> {
  const giveUp = () => void abandonBoots(app);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await stages.time('boot', work);
  } catch (error) {
    if (error instanceof BootFailure && error.said.length > 0 && !signal.aborted)
      output.write([`${error.dyno} said:`, ...error.said.map((line) => `  ${line}`)].map(detail).join(''));
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

async function prepare(
  release: Release,
  predeploy: string | undefined,
  { stages, output, signal }: Push,
  { releases }: DeployOptions,
): Promise<Release> {
  if (predeploy === undefined && release.processes.release === undefined) return release;
  const audience = { write: (text: string) => output.write(text), signal };
  try {
    return await stages.time('release command', () => releases.prepare(release, audience, predeploy));
  } catch (cause) {
    if (!(cause instanceof PaasError)) throw cause;
    throw new PaasError(cause.code, `${cause.message}\n\nPush rejected, release command failed.`, { cause });
  }
}

function detect(tree: GitTree): Buildpack {
  try {
    return detectBuildpack(tree);
  } catch (cause) {
    throw new PaasError('invalid', `${(cause as Error).message}\n\nPush rejected, no buildpack fits.`, {
      cause,
    });
  }
}

async function readAppJson(tree: GitTree): Promise<AppJson> {
  return parseAppJson((await tree.read('app.json')) ?? '{}');
}

/** What the pusher is told: the developer's mistakes in their own words, and that nothing came of the push. */
function explain(error: unknown, buildpack: Buildpack): unknown {
  const isMistake =
    error instanceof BuildpackError || (error instanceof PaasError && error.code === 'invalid');
  if (!isMistake) return error;
  const what = `Push rejected, failed to compile ${buildpack.name} app.`;
  return new PaasError('invalid', `${error.message}\n\n${what}`, { cause: error });
}

function describeTypes(types: ProcessTypes, write: (text: string) => void): void {
  write(section('Discovering process types'));
  if (types.procfile.length > 0) write(detail(`Procfile declares types     -> ${types.procfile.join(', ')}`));
  const defaults = types.defaults.filter((type) => !types.procfile.includes(type));
  if (defaults.length > 0 || types.procfile.length === 0) {
    write(detail(`Default types for buildpack -> ${defaults.join(', ') || '(none)'}`));
  }
}
