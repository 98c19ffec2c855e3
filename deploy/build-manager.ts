import type { Activity } from './activity.ts';
import { type DeployOptions, deploy } from './deploy.ts';
import type { LeavingApps } from './leaving-apps.ts';
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
  leaving: LeavingApps;
  logs: AppLogs;
  activity: Activity;
  /** Milliseconds that a build may take, from its turn on. */
  timeLimit: number;
  /** Milliseconds, for tests; else RECORD_AGAIN_MS. */
  recordAgainAfter?: number;
  log: (text: string) => void;
}

/** Builds of an app whose output is kept. */
const KEPT_OUTPUTS = 50;
/** What does not end so many milliseconds after it was stopped is given up. */
const GIVEN_UP_MS = 30_000;
/** An end that could not be recorded is again after so many milliseconds. */
const RECORD_AGAIN_MS = 10_000;
const RESTARTED = 'The platform was restarted during this build. Push again.';

interface RunningBuild {
  view: BuildView;
  tree: GitTree;
  output: BuildOutput;
  stages: Stages;
  abort: AbortController;
  onLive: () => void;
  /** Its end, where it was stopped from outside. */
  stopped: BuildEnd | undefined;
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
    return this.#options.store.list(app).map((build) => this.#withPlace(build));
  }

  find(id: number): BuildView {
    return this.#withPlace(this.#options.store.find(id));
  }

  output(id: number, options?: { follow?: boolean; signal?: AbortSignal }): AsyncIterable<string> {
    const { app } = this.find(id);
    if (!this.#options.outputs.has(id)) {
      const why = `only that of the last ${KEPT_OUTPUTS} builds of an app is`;
      throw new PaasError('not_found', `The output of build ${id} of ${app} is no longer kept: ${why}.`);
    }
    return this.#options.outputs.read(id, options);
  }

  async cancel(id: number, user: string): Promise<void> {
    const build = this.find(id);
    const running = this.#running.get(id);
    if (!running)
      throw new PaasError('conflict', `Build ${id} of ${build.app} has ended already (${build.state}).`);
    this.#stop(running, { state: 'cancelled', reason: `Cancelled by ${user}.` });
  }

  /** All of an app that have not ended; resolves when they have. */
  async cancelAll(app: string, user: string): Promise<void> {
    const running = [...this.#running.values()].filter((build) => build.view.app === app);
    await Promise.all(running.map((build) => this.cancel(build.view.id, user)));
    await Promise.all(running.map((build) => build.ended));
  }

  /**
   * Queues a build and resolves with its end. `write` gets all that the pusher shall see; `signal`: the pusher went away; `replaced`:
   * a newer push came, which only ends a build that has not begun; `onLive` is called in the transaction in which its release goes live.
   * Throws `conflict` for an app that is being destroyed.
   */
  async submit(options: {
    app: string;
    user: string;
    tree: GitTree;
    write: (text: string) => void;
    signal: AbortSignal;
    replaced: AbortSignal;
    onLive: () => void;
  }): Promise<BuildView> {
    this.#options.leaving.check(options.app);
    const view = this.#options.store.create({
      app: options.app,
      user: options.user,
      commit: options.tree.commit,
    });
    const output = this.#options.outputs.create(view.id);
    const abort = new AbortController();
    const { promise: ended, resolve: markEnded } = Promise.withResolvers<void>();
    const queuedAt = performance.now();
    const running: RunningBuild = {
      view,
      tree: options.tree,
      output,
      stages: new Stages(),
      abort,
      onLive: options.onLive,
      stopped: undefined,
      queuedAt,
      ended,
      markEnded,
    };
    this.#running.set(view.id, running);
    output.onText(options.write);
    const cancel = () => void this.cancel(view.id, options.user).catch(() => {});
    const { replaced } = options;
    const giveWay = () => this.#giveWay(running, (replaced.reason as Error).message);
    const left = this.#queue!.submit({ id: view.id, app: options.app });
    onAbort(options.signal, cancel);
    onAbort(replaced, giveWay);
    this.#sayPlace(running);
    try {
      await left;
    } catch (error) {
      this.#end(running, { state: 'failed', reason: (error as Error).message });
    }
    options.signal.removeEventListener('abort', cancel);
    replaced.removeEventListener('abort', giveWay);
    return this.find(view.id);
  }

  /**
   * After a start of control: what an earlier one left without an end has failed, unless its release was live before that control
   * died. Returns those.
   */
  endUnfinished(): BuildView[] {
    const { store, releases, logs } = this.#options;
    const unfinished = store.unfinished();
    for (const build of unfinished) {
      const { id, app, stages } = build;
      const release = releases.ofBuild(app, id);
      if (release) {
        const text = `Build ended with v${release.version}; the platform was restarted before its pusher heard of it`;
        logs.append(app, { source: 'app', dyno: 'api', text });
      }
      const end: BuildEnd = release
        ? { state: 'succeeded', release: release.version }
        : { state: 'failed', reason: RESTARTED };
      store.finish(id, { end, stages, tell: () => this.#noteEnd(build, end) });
    }
    return unfinished;
  }

  /** Called by the queue when it is this build's turn. */
  async run(id: number): Promise<void> {
    const running = this.#running.get(id);
    if (!running) return;
    const { view, tree, output, stages, abort, onLive } = running;
    stages.note('queue', performance.now() - running.queuedAt);
    const limit = setTimeout(
      () => this.#stop(running, overTime(this.#options.timeLimit)),
      this.#options.timeLimit,
    );
    try {
      this.#options.store.start(id);
      this.#note(running, 'builds:start', 'Build started');
      abort.signal.throwIfAborted();
      const push = { build: view, tree, output, stages, signal: abort.signal, onLive };
      const release = await Promise.race([deploy(push, this.#options), givenUp(abort.signal)]);
      this.#end(running, { state: 'succeeded', release: release.version });
    } catch (error) {
      this.#end(running, this.#endOf(running, error));
    } finally {
      clearTimeout(limit);
    }
  }

  /** One that waits ends here, one that runs when its steps have heard of it. */
  #stop(running: RunningBuild, end: BuildEnd): void {
    running.stopped ??= end;
    running.abort.abort(new PaasError('conflict', 'The build was stopped.'));
    if (this.#queue!.withdraw(running.view.id)) this.#end(running, running.stopped);
  }

  #giveWay(running: RunningBuild, reason: string): void {
    if (this.#queue!.withdraw(running.view.id)) this.#end(running, { state: 'cancelled', reason });
  }

  #endOf(running: RunningBuild, error: unknown): BuildEnd {
    if (running.stopped) return running.stopped;
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
      if (!/Push rejected/.test(end.reason)) running.output.write(problem(`\n${this.#rejected(running)}`));
    }
    const { view, stages, output } = running;
    output.close();
    running.markEnded();
    this.#record(view, end, stages.list);
    for (const id of this.#options.store.before(view.app, KEPT_OUTPUTS)) this.#options.outputs.remove(id);
  }

  /** On a full disk it is recorded when there is room, or by the next start. */
  #record(view: BuildView, end: BuildEnd, stages: BuildView['stages']): void {
    const { store, log } = this.#options;
    try {
      store.finish(view.id, { end, stages, tell: () => this.#noteEnd(view, end) });
    } catch (error) {
      log(`The end of build ${view.id} could not be recorded: ${(error as Error).message}`);
      setTimeout(
        () => this.#record(view, end, stages),
        this.#options.recordAgainAfter ?? RECORD_AGAIN_MS,
      ).unref();
    }
  }

  #noteEnd({ app, user, commit }: BuildView, end: BuildEnd): void {
    const { activity, logs } = this.#options;
    if (end.state === 'succeeded') {
      activity.note({ app, user, action: 'deploy', text: `Deploy ${commit.slice(0, 8)}` });
      return;
    }
    const text = `Build ${end.state} -- ${firstLine(end.reason)}`;
    logs.append(app, { source: 'app', dyno: 'api', text });
    const action = end.state === 'failed' ? 'builds:fail' : 'builds:cancel';
    activity.record({ app, user, action, text });
  }

  #rejected({ view }: RunningBuild): string {
    const serves = this.#options.releases.current(view.app) !== undefined;
    return `Push rejected, ${serves ? 'the old release serves on' : 'nothing was released'}.`;
  }

  #withPlace(build: BuildView): BuildView {
    if (build.state !== 'queued') return build;
    return { ...build, ahead: this.#queue?.ahead(build.id).length ?? 0 };
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

function onAbort(signal: AbortSignal, work: () => void): void {
  signal.addEventListener('abort', work, { once: true });
  if (signal.aborted) work();
}

function overTime(milliseconds: number): BuildEnd {
  const minutes = Math.round(milliseconds / 6000) / 10;
  const reason = `It took longer than ${minutes} minutes, the most that a build may (PAAS_BUILD_TIMEOUT).`;
  return { state: 'failed', reason };
}

/** Rejects some time after `signal` is aborted: something below does not answer, and the pusher should not wait for it. */
function givenUp(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const giveUp = () => setTimeout(() => reject(signal.reason), GIVEN_UP_MS).unref();
    signal.addEventListener('abort', giveUp, { once: true });
  });
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!;
}

function describe(error: unknown): string {
  const { cause } = error as Error;
  return `${(error as Error).stack ?? error}${cause ? `\ncaused by ${(cause as Error).stack ?? cause}` : ''}`;
}
