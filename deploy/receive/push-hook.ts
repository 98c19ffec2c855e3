import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { BuildManager } from '../build-manager.ts';
import { PaasError } from '../model/paas-error.ts';
import { problem, section } from '../model/words.ts';
import type { AppPreviews } from '../previews.ts';
import { isAncestor } from './git.ts';
import { GitTree } from './git-tree.ts';
import type { OwedRefs } from './owed-refs.ts';
import {
  DEPLOY_BRANCHES,
  decidePush,
  type PushDecision,
  type PushQuestion,
  parseQuestion,
  type RefChange,
} from './pushed-refs.ts';
import type { Repositories } from './repositories.ts';

const MAX_QUESTION = 1024 ** 2;

export interface PushHookOptions {
  builds: BuildManager;
  repositories: Repositories;
  previews: AppPreviews;
  owed: OwedRefs;
}

/** A push that has come as far as its hook. */
export interface HookedPush {
  app: string;
  user: string;
  /** The pusher went away. */
  signal: AbortSignal;
  /** Aborted, with the reason, when a newer push came. */
  replaced: AbortSignal;
  /** Refs that are no longer what the client was told; `old`: what they are. */
  moved: RefChange[];
}

interface Answering extends HookedPush {
  write: (text: string) => void;
}

/** Answers the pre-receive hook: whether what is pushed may stay, which it may when it has been built and serves. */
export class PushHook {
  #options: PushHookOptions;

  constructor(options: PushHookOptions) {
    this.#options = options;
  }

  /** The hook's three descriptors. True where the push was accepted; a push without the hook (nothing to push) is not. */
  async answer(child: ChildProcess, push: HookedPush): Promise<boolean> {
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
    const accepted = await this.#decide(text, { ...push, write: (chunk) => void answer.write(chunk) });
    answer.end();
    verdict.end(accepted ? '0\n' : '1\n');
    return accepted;
  }

  async #decide(text: string, push: Answering): Promise<boolean> {
    try {
      push.replaced.throwIfAborted();
      const question = parseQuestion(text);
      await this.#checkMoved(question, push);
      const decision = decidePush(question.refs);
      for (const note of decision.notes) push.write(section(note));
      const deployed =
        decision.commit === undefined ||
        (await this.#build(push.app, { commit: decision.commit, branches: DEPLOY_BRANCHES, question }, push));
      return deployed && (await this.#preview({ branches: decision.branches, question }, push));
    } catch (error) {
      push.write(
        problem(error instanceof PaasError ? error.message : 'Something went wrong inside the platform.'),
      );
      return false;
    }
  }

  /** What was pushed while this push waited must be in it, as git itself would ask for had it begun later. */
  async #checkMoved({ quarantine }: PushQuestion, { app, moved }: Answering): Promise<void> {
    const cwd = this.#options.repositories.path(app);
    for (const { old, new: commit, ref } of moved) {
      if (await isAncestor(old, commit, { cwd, quarantine })) continue;
      const branch = ref.replace('refs/heads/', '');
      throw new PaasError(
        'conflict',
        `${branch} is at ${old.slice(0, 8)} since another push, which is not part of this one. Fetch it (git pull) and push again, or push with --force.`,
      );
    }
  }

  /** True where the build succeeded. */
  async #build(
    app: string,
    what: { commit: string; branches: string[]; question: PushQuestion },
    { app: repository, write, user, signal, replaced }: Answering,
  ): Promise<boolean> {
    const path = this.#options.repositories.path(repository);
    const tree = await GitTree.open(path, what.commit, what.question.quarantine);
    const refs = what.question.refs.filter(({ ref }) => what.branches.includes(ref));
    const onLive = () => this.#options.owed.note(repository, refs, tree);
    const build = await this.#options.builds.submit({ app, user, tree, write, signal, replaced, onLive });
    return build.state === 'succeeded';
  }

  /** What branches beside the deploy branch lead to; false where a preview's build failed. */
  async #preview(
    { branches, question }: { branches: PushDecision['branches']; question: PushQuestion },
    push: Answering,
  ): Promise<boolean> {
    const { previews } = this.#options;
    const { app, user, write } = push;
    const pushed = branches.filter(({ commit }) => commit !== undefined);
    for (const { name, commit } of branches)
      if (commit === undefined) await previews.branchDeleted(app, name, user);
    if (pushed.length === 0) return true;
    if (!previews.settings(app) || pushed.length > 1) {
      const why = previews.settings(app) ? 'Pushed several branches' : 'Pushed to non-deploy branch';
      write(section(`${why}, skipping build.`));
      return true;
    }
    const { name, commit } = pushed[0]!;
    const preview = previews.prepare(app, name, user)!;
    write(section(`Preview of the branch ${name}: ${preview}`));
    return this.#build(preview, { commit: commit!, branches: [`refs/heads/${name}`], question }, push);
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
