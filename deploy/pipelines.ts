import type { Activity } from './activity.ts';
import { parseAppName, quote } from './model/app-name.ts';
import type { KeyedMutex } from './model/mutex.ts';
import { PaasError } from './model/paas-error.ts';
import type { Release } from './model/release.ts';
import {
  PIPELINE_STAGES,
  type PipelineStage,
  type Pipelines,
  type PipelineView,
  type Promotion,
} from './platform/pipelines.ts';
import type { ReleaseManager } from './release-manager.ts';
import type { AppStore } from './store/app-store.ts';
import type { PipelineStore } from './store/pipeline-store.ts';

export interface AppPipelinesOptions {
  apps: AppStore;
  store: PipelineStore;
  releases: ReleaseManager;
  lock: KeyedMutex;
  activity: Activity;
}

/** Apps that pass the same code on, from stage to stage: what was tried in one goes live in the next without a build. */
export class AppPipelines implements Pipelines {
  #options: AppPipelinesOptions;

  constructor(options: AppPipelinesOptions) {
    this.#options = options;
  }

  list(): PipelineView[] {
    return this.#options.store.names().map((name) => this.find(name));
  }

  find(name: string): PipelineView {
    const apps = this.#options.store.apps(name);
    if (apps.length === 0) {
      throw new PaasError(
        'not_found',
        `There is no pipeline ${quote(name)}. \`paas pipelines\` lists those there are.`,
      );
    }
    const stages = PIPELINE_STAGES.map((stage) => ({
      stage,
      apps: apps
        .filter((app) => app.stage === stage)
        .map(({ app }) => ({ app, release: this.#options.releases.current(app)?.version })),
    }));
    return { name, stages: stages.filter((stage) => stage.apps.length > 0) };
  }

  add(pipeline: string, app: string, stage: PipelineStage, user: string): PipelineView {
    const { apps, store, activity } = this.#options;
    parseAppName(pipeline);
    apps.find(app);
    const present = store.find(app);
    if (present)
      throw new PaasError(
        'conflict',
        `${app} is in the pipeline ${present.pipeline} already (${present.stage}).`,
      );
    store.add({ pipeline, app, stage });
    activity.note({ app, user, action: 'pipelines:add', text: `Added to pipeline ${pipeline} as ${stage}` });
    return this.find(pipeline);
  }

  remove(app: string, user: string): void {
    const { pipeline } = this.#find(app);
    this.#options.store.remove(app);
    this.#options.activity.note({
      app,
      user,
      action: 'pipelines:remove',
      text: `Removed from pipeline ${pipeline}`,
    });
  }

  targets(app: string): string[] {
    const { pipeline, stage } = this.#find(app);
    const next = PIPELINE_STAGES[PIPELINE_STAGES.indexOf(stage as PipelineStage) + 1];
    return this.#options.store
      .apps(pipeline)
      .filter((candidate) => candidate.stage === next)
      .map((candidate) => candidate.app);
  }

  async promote(app: string, { to, user, write, signal }: Promotion): Promise<void> {
    const { releases, lock } = this.#options;
    const source = releases.current(app);
    if (!source) throw new PaasError('conflict', `${app} has no release that could be promoted.`);
    if (!this.targets(app).includes(to))
      throw new PaasError('invalid', `${to} is not in the stage after ${app}'s in their pipeline.`);
    const audience = { write, signal };
    const live = await lock.run(to, async () => {
      this.#options.apps.find(to);
      const { image, processes, cron, checks, hooks, maxParallel, commit, buildId } = source;
      const created = releases.create({
        ...{ image, processes, cron, checks, hooks, maxParallel, commit, buildId },
        app: to,
        config: this.#options.apps.config(to),
        user,
        description: `Promote ${app} v${source.version}${commit ? ` ${commit.slice(0, 8)}` : ''}`,
      });
      return releases
        .goLive(created, { commit: () => signal.throwIfAborted(), audience })
        .catch((error) => Promise.reject(withLacking(error, { source, target: created })));
    });
    await releases.finish(live, audience);
  }

  #find(app: string) {
    this.#options.apps.find(app);
    const found = this.#options.store.find(app);
    if (found) return found;
    throw new PaasError(
      'conflict',
      `${app} is in no pipeline: pipelines:add puts it into one. A canary is promoted by releases:promote.`,
    );
  }
}

/** The likeliest reason why code that runs in one app does not in the next. */
function withLacking(error: unknown, { source, target }: { source: Release; target: Release }): unknown {
  const lacking = Object.keys(source.config).filter((name) => !Object.hasOwn(target.config, name));
  if (!(error instanceof PaasError) || lacking.length === 0) return error;
  const text = `${error.message}\n${target.app} has no config var ${lacking.join(', ')}, as ${source.app} has.`;
  return new PaasError(error.code, text, { cause: error });
}
