import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { BuildManager } from '../build-manager.ts';
import { parseAppName } from '../model/app-name.ts';
import { KeyedMutex } from '../model/mutex.ts';
import { PaasError } from '../model/paas-error.ts';
import { problem, section } from '../model/words.ts';
import type { Apps, Pushes, PushStreams } from '../platform.ts';
import type { AppPreviews } from '../previews.ts';
import type { AppStore } from '../store/app-store.ts';
import { startGit } from './git.ts';
import { GitTree } from './git-tree.ts';
import { decidePush, type PushDecision, type PushQuestion, parseQuestion } from './pushed-refs.ts';
import type { Repositories } from './repositories.ts';

const MAX_QUESTION = 1024 ** 2;

export interface GitServiceOptions {
  apps: Apps;
  store: AppStore;
  builds: BuildManager;
  repositories: Repositories;
  previews: AppPreviews;
}

/** What answering the hook needs. */
interface HookContext {
  write: (text: string) => void;
  exchange: Exchange;
}

interface Exchange {
  user: string;
  streams: PushStreams;
  protocol?: string;
  signal: AbortSignal;
}

/** git's server side: what is pushed goes through `git receive-pack`, whose hook asks here whether it may stay. */
export class GitService implements Pushes {
  #options: GitServiceOptions;
  #receiving = new KeyedMutex();

  constructor(options: GitServiceOptions) {
    this.#options = options;
  }

  /**
   * One `git receive-pack` an app at a time: git compares the branch with what it told the client at the beginning, so a push
   * that began during another one could only fail at its end, after its build.
   */
  async receive(app: string, exchange: Exchange): Promise<number> {
    parseAppName(app);
    if (this.#receiving.has(app)) exchange.streams.stderr.write(`remote: ${this.#waiting(app)}`);
    return this.#receiving.run(app, () =>
      exchange.signal.aborted ? Promise.resolve(1) : this.#receive(app, exchange),
    );
  }

  async upload(app: string, exchange: Exchange): Promise<number> {
    this.#options.store.find(app);
    await this.#options.repositories.ensure(app);
    const args = [
      '-c',
      'uploadpack.allowFilter=false',
      'upload-pack',
      '--strict',
      this.#options.repositories.path(app),
    ];
    const child = startGit(args, { cwd: '/', env: protocolOf(exchange), stdio: ['pipe', 'pipe', 'pipe'] });
    return connect(child, exchange);
  }

  async #receive(app: string, exchange: Exchange): Promise<number> {
    const { repositories, apps, builds } = this.#options;
    const created = await this.#ensureApp(app, exchange.user);
    const args = [...repositories.receiveSettings, 'receive-pack', repositories.path(app)];
    const stdio: 'pipe'[] = ['pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'];
    const child = startGit(args, { cwd: '/', env: protocolOf(exchange), stdio });
    const accepted = this.#answerHook(app, child, exchange);
    const status = await connect(child, exchange);
    const pushed = await accepted;
    if (pushed) await repositories.syncRefs(app);
    if (created && !pushed && builds.list(app).length === 0) await apps.destroy(app, exchange.user);
    return status;
  }

  #waiting(app: string): string {
    const build = this.#options.store.has(app) ? this.#options.builds.list(app)[0] : undefined;
    const what =
      build && build.finishedAt === undefined
        ? `build #${build.id} of app "${app}"`
        : `another push to app "${app}"`;
    return section(`Waiting for ${what}…`);
  }

  /** True where the app was not there before. */
  async #ensureApp(app: string, user: string): Promise<boolean> {
    const { store, repositories, apps } = this.#options;
    await repositories.ensure(app);
    if (store.has(app)) return false;
    apps.create(app, user);
    return true;
  }

  /** The hook's three descriptors. True where the push was accepted; a push without the hook (nothing to push) is not. */
  async #answerHook(app: string, child: ChildProcess, exchange: Exchange): Promise<boolean> {
    const [, , , question, answer, verdict] = child.stdio as unknown as [
      unknown,
      unknown,
      unknown,
      Readable,
      Writable,
      Writable,
    ];
    for (const stream of [question, answer, verdict]) stream.on('error', () => {});
    for (const stream of [answer, verdict]) (stream as unknown as Readable).resume(); // so that their end is noticed
    const text = await readQuestion(question);
    if (text === '') return false;
    const accepted = await this.#decide(app, text, { write: (chunk) => void answer.write(chunk), exchange });
    answer.end();
    verdict.end(accepted ? '0\n' : '1\n');
    return accepted;
  }

  async #decide(app: string, text: string, context: HookContext): Promise<boolean> {
    const { write } = context;
    try {
      const question = parseQuestion(text);
      const decision = decidePush(question.refs);
      for (const note of decision.notes) write(section(note));
      const deployed =
        decision.commit === undefined ||
        (await this.#build(app, { repository: app, commit: decision.commit, question }, context));
      return deployed && (await this.#preview(app, { branches: decision.branches, question }, context));
    } catch (error) {
      write(
        problem(error instanceof PaasError ? error.message : 'Something went wrong inside the platform.'),
      );
      return false;
    }
  }

  /** True where the build succeeded. */
  async #build(
    app: string,
    what: { repository: string; commit: string; question: PushQuestion },
    { write, exchange }: HookContext,
  ): Promise<boolean> {
    const { user, signal } = exchange;
    const path = this.#options.repositories.path(what.repository);
    const tree = await GitTree.open(path, what.commit, what.question.quarantine);
    const build = await this.#options.builds.submit({ app, user, tree, write, signal });
    return build.state === 'succeeded';
  }

  /** What branches beside the deploy branch lead to; false where a preview's build failed. */
  async #preview(
    app: string,
    { branches, question }: { branches: PushDecision['branches']; question: PushQuestion },
    context: HookContext,
  ): Promise<boolean> {
    const { previews } = this.#options;
    const { user } = context.exchange;
    const pushed = branches.filter(({ commit }) => commit !== undefined);
    for (const { name, commit } of branches)
      if (commit === undefined) await previews.branchDeleted(app, name, user);
    if (pushed.length === 0) return true;
    if (!previews.settings(app) || pushed.length > 1) {
      const why = previews.settings(app) ? 'Pushed several branches' : 'Pushed to non-deploy branch';
      context.write(section(`${why}, skipping build.`));
      return true;
    }
    const { name, commit } = pushed[0]!;
    const preview = previews.prepare(app, name, user)!;
    context.write(section(`Preview of the branch ${name}: ${preview}`));
    return this.#build(preview, { repository: app, commit: commit!, question }, context);
  }
}

/** Everything up to the line `end`, or nothing where git ends without having asked. */
async function readQuestion(stream: Readable): Promise<string> {
  let text = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream) {
    text += chunk;
    if (text.endsWith('\nend\n') || text.length > MAX_QUESTION) break;
  }
  return text;
}

/** Streams both ways until git has ended and all that it said is on its way; git dies with its client. */
async function connect(child: ChildProcess, { streams, signal }: Exchange): Promise<number> {
  const kill = () => void child.kill('SIGTERM');
  signal.addEventListener('abort', kill, { once: true });
  child.stdin!.on('error', () => {});
  streams.stdin.pipe(child.stdin!);
  child.stdout!.pipe(streams.stdout, { end: false });
  child.stderr!.pipe(streams.stderr, { end: false });
  const status = await new Promise<number>((resolve) => {
    child.on('error', () => resolve(127));
    child.on('close', (code, name) => resolve(code ?? (name ? 143 : 1)));
  });
  signal.removeEventListener('abort', kill);
  return status;
}

function protocolOf({ protocol }: Exchange): Record<string, string> {
  return protocol !== undefined && /^version=[0-2]$/.test(protocol) ? { GIT_PROTOCOL: protocol } : {};
}
