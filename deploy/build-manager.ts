import type { Activity } from './activity.ts';
import { type DeployOptions, deploy } from './deploy.ts';
import type { AppLogs } from './logs/app-log.ts';
import { PaasError } from './model/paas-error.ts';
import { problem } from './model/words.ts';
import type { Builds, BuildView } from './platform.ts';
import type { BuildOutput, BuildOutputs } from './queue/build-output.ts';
import type { BuildQueue } from './queue/build-queue.ts';
import type { GitTree } from './receive/git-tree.ts';
import { Stages } from './stages.ts';
import type { BuildEnd, BuildStore } from './store/build-store.ts';

export interface BuildManagerOptions extends DeployOptions {
  store: BuildStore;
  outputs: BuildOutputs;
  logs: AppLogs;
  activity: Activity;
  log: (text: string) => void;
}

interface RunningBuild {
  view: BuildView;
  tree: GitTree;
  output: BuildOutput;
  stages: Stages;
  abort: AbortController;
  queuedAt: number;
  ended: Promise<void>;
  markEnded: () => void;
}

/** Builds from the push to their one end: succeeded, failed with a reason, or cancelled. */
export class BuildManager implements Builds {
  #options: BuildManagerOptions;
  #queue: BuildQueue | undefined;
  #running = new Map<number, RunningBuild>();

  constructor(options: BuildManagerOptions) {
    this.#options = options;
  }

  get isBuilding(): boolean {
    return this.#running.size > 0;
  }

  /** The queue calls back into `run`, so it comes second. */
  useQueue(queue: BuildQueue): void {
    this.#queue = queue;
  }

  list(app?: string): BuildView[] {
    return this.#options.store.list(app);
  }

  find(id: number): BuildView {
    return this.#options.store.find(id);
  }

  output(id: number, options?: { follow?: boolean; signal?: AbortSignal }): AsyncIterable<string> {
    this.find(id);
    return this.#options.outputs.read(id, options);
  }

  async cancel(id: number, user: string): Promise<void> {
    const build = this.find(id);
    const running = this.#running.get(id);
    if (!running)
      throw new PaasError('conflict', `Build ${id} of ${build.app} has ended already (${build.state}).`);
    running.abort.abort(new PaasError('conflict', `Cancelled by ${user}.`));
    if (await this.#queue!.withdraw(id))
      this.#end(running, { state: 'cancelled', reason: `Cancelled by ${user}.` });
  }

  /** All of an app that have not ended; resolves when they have. */
  async cancelAll(app: string, user: string): Promise<void> {
    const running = [...this.#running.values()].filter((build) => build.view.app === app);
    await Promise.all(running.map((build) => this.cancel(build.view.id, user)));
    await Promise.all(running.map((build) => build.ended));
  }

  /** Queues a build and resolves with its end. `write` gets all that the pusher shall see; `signal`: the pusher went away. */
  async submit(options: {
    app: string;
    user: string;
    tree: GitTree;
    write: (text: string) => void;
    signal: AbortSignal;
  }): Promise<BuildView> {
    const view = this.#options.store.create({
      app: options.app,
      user: options.user,
      commit: options.tree.commit,
    });
    const output = this.#options.outputs.create(view.id);
    const abort = new AbortController();
    const { promise: ended, resolve: markEnded } = Promise.withResolvers<void>();
    const queuedAt = performance.now();
    const running = {
      view,
      tree: options.tree,
      output,
      stages: new Stages(),
      abort,
      queuedAt,
      ended,
      markEnded,
    };
    this.#running.set(view.id, running);
    output.onText(options.write);
    const cancel = () => void this.cancel(view.id, options.user).catch(() => {});
    options.signal.addEventListener('abort', cancel, { once: true });
    if (options.signal.aborted) cancel();
    const left = this.#queue!.submit({ id: view.id, app: options.app });
    this.#sayPlace(running);
    try {
      await left;
    } catch (error) {
      this.#end(running, { state: 'failed', reason: (error as Error).message });
    }
    options.signal.removeEventListener('abort', cancel);
    return this.find(view.id);
  }

  /** Called by the queue when it is this build's turn. */
  async run(id: number): Promise<void> {
    const running = this.#running.get(id);
    if (!running) return;
    const { view, tree, output, stages, abort } = running;
    stages.note('queue', performance.now() - running.queuedAt);
    this.#options.store.start(id);
    this.#note(running, 'builds:start', 'Build started');
    try {
      abort.signal.throwIfAborted();
      const release = await deploy(
        { build: view, tree, output, stages, signal: abort.signal },
        this.#options,
      );
      this.#note(running, 'deploy', `Deploy ${view.commit.slice(0, 8)}`);
      this.#end(running, { state: 'succeeded', release: release.version });
    } catch (error) {
      this.#end(running, this.#endOf(running, error));
    }
  }

  #endOf(running: RunningBuild, error: unknown): BuildEnd {
    if (running.abort.signal.aborted) {
      return { state: 'cancelled', reason: (running.abort.signal.reason as Error).message };
    }
    if (error instanceof PaasError) {
      if (error.code === 'internal') this.#options.log(`build ${running.view.id}: ${describe(error)}`);
      return { state: 'failed', reason: error.message };
    }
    this.#options.log(`build ${running.view.id}: ${describe(error)}`);
    return {
      state: 'failed',
      reason: 'Something went wrong inside the platform; its operator finds the cause in its log.',
    };
  }

  #end(running: RunningBuild, end: BuildEnd): void {
    if (!this.#running.delete(running.view.id)) return;
    running.tree.close();
    if (end.state !== 'succeeded') {
      running.output.write(problem(end.reason));
      if (!/Push rejected/.test(end.reason))
        running.output.write(problem('Push rejected, the old release serves on.'));
      const text = `Build failed -- ${firstLine(end.reason)}`;
      const { app, user } = running.view;
      this.#options.logs.append(app, { source: 'app', dyno: 'api', text });
      this.#options.activity.record({ app, user, action: 'builds:fail', text });
    }
    this.#options.store.finish(running.view.id, end, running.stages.list);
    running.output.close();
    running.markEnded();
  }

  #note({ view }: RunningBuild, action: string, text: string): void {
    this.#options.activity.note({ app: view.app, user: view.user, action, text });
  }

  #sayPlace(running: RunningBuild): void {
    const ahead = this.#queue!.ahead(running.view.id);
    const first = ahead[0];
    if (!first) return;
    const place = ahead.length > 1 ? ` (${ahead.length} ahead of yours)` : '';
    running.output.write(`-----> Waiting for build #${first.id} of app "${first.app}"${place}…\n`);
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!;
}

function describe(error: unknown): string {
  const { cause } = error as Error;
  return `${(error as Error).stack ?? error}${cause ? `\ncaused by ${(cause as Error).stack ?? cause}` : ''}`;
}
