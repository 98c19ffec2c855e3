import type { ChildProcess } from 'node:child_process';
import { parseAppName } from '../model/app-name.ts';
import { section } from '../model/words.ts';
import type { Apps, Builds, Pushes, PushStreams, WaitingPush } from '../platform.ts';
import type { AppStore } from '../store/app-store.ts';
import { startGit } from './git.ts';
import type { OwedRefs } from './owed-refs.ts';
import { type PushHead, readPushHead, withPresentRefs } from './push-head.ts';
import type { PushHook } from './push-hook.ts';
import { PushLine, type PushTurn } from './push-line.ts';
import type { Repositories } from './repositories.ts';

export interface GitServiceOptions {
  apps: Apps;
  store: AppStore;
  builds: Builds;
  repositories: Repositories;
  hook: PushHook;
  owed: OwedRefs;
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
  #line = new PushLine();
  /** Made by a push, of which none was accepted yet. */
  #unborn = new Set<string>();
  /** How many pushes changed refs, since the start. */
  #accepted = new Map<string, number>();

  constructor(options: GitServiceOptions) {
    this.#options = options;
  }

  async receive(app: string, exchange: Exchange): Promise<number> {
    parseAppName(app);
    await this.#ensureApp(app, exchange.user);
    const { repositories } = this.#options;
    const args = [...repositories.receiveSettings, 'receive-pack', repositories.path(app)];
    const stdio: 'pipe'[] = ['pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'];
    const acceptedBefore = this.#accepted.get(app);
    const child = startGit(args, { cwd: '/', env: protocolOf(exchange), stdio });
    const ended = follow(child, exchange);
    const nothing = ended.then(() => ({ refs: [], bytes: Buffer.alloc(0) }));
    const head = await Promise.race([readPushHead(exchange.streams.stdin), nothing]);
    const turn = this.#line.enter(app, { user: exchange.user, refs: head.refs });
    try {
      await this.#wait(app, turn, exchange);
      const isNews = this.#accepted.get(app) !== acceptedBefore;
      const { bytes, moved } = isNews ? await this.#refresh(app, head) : { bytes: head.bytes, moved: [] };
      const answered = this.#options.hook.answer(child, { ...exchange, app, replaced: turn.replaced, moved });
      child.stdin!.write(bytes);
      exchange.streams.stdin.pipe(child.stdin!);
      if (exchange.streams.stdin.destroyed) child.stdin!.end();
      const [status, accepted] = await Promise.all([ended, answered]);
      if (accepted) await this.#accept(app);
      await this.#options.owed.settle(app);
      return status;
    } finally {
      child.kill();
      turn.leave();
      await this.#forget(app, exchange.user);
    }
  }

  waiting(app?: string): WaitingPush[] {
    return this.#line.waiting(app);
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
    exchange.streams.stdin.pipe(child.stdin!);
    return follow(child, exchange);
  }

  /** Until it is this push's turn, a newer one came (then the hook refuses it), or its client has gone. */
  async #wait(app: string, turn: PushTurn, { streams, signal }: Exchange): Promise<void> {
    if (turn.isFirst) return;
    streams.stderr.write(`remote: ${this.#waiting(app)}`);
    const { promise: gone, resolve } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (!signal.aborted) await Promise.race([turn.ready, gone]);
  }

  #waiting(app: string): string {
    const build = this.#options.store.has(app) ? this.#options.builds.list(app)[0] : undefined;
    const what =
      build && build.finishedAt === undefined
        ? `build #${build.id} of app "${app}"`
        : `another push to app "${app}"`;
    return section(`Waiting for ${what}…`);
  }

  /** The commands as they would be had the push begun now. */
  async #refresh(app: string, head: PushHead): Promise<ReturnType<typeof withPresentRefs>> {
    return withPresentRefs(head, await this.#options.repositories.refs(app));
  }

  async #accept(app: string): Promise<void> {
    this.#unborn.delete(app);
    this.#accepted.set(app, (this.#accepted.get(app) ?? 0) + 1);
    await this.#options.repositories.syncRefs(app);
  }

  async #ensureApp(app: string, user: string): Promise<void> {
    const { store, repositories, apps } = this.#options;
    await repositories.ensure(app);
    if (store.has(app)) return;
    apps.create(app, user);
    this.#unborn.add(app);
  }

  /** An app that was made for a push which came to nothing, not even a build, goes with the last such push. */
  async #forget(app: string, user: string): Promise<void> {
    const { store, builds, apps } = this.#options;
    if (this.#line.has(app) || !this.#unborn.delete(app)) return;
    if (store.has(app) && builds.list(app).length === 0) await apps.destroy(app, user);
  }
}

/** git's output to the client, until git has ended and all that it said is on its way; it dies with its client. */
async function follow(child: ChildProcess, { streams, signal }: Exchange): Promise<number> {
  const kill = () => void child.kill('SIGTERM');
  signal.addEventListener('abort', kill, { once: true });
  child.stdin!.on('error', () => {});
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
