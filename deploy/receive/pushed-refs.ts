import { PaasError } from '../model/paas-error.ts';
import type { Quarantine } from './git.ts';

/** A branch whose push deploys; both names, as Heroku takes both. */
export const DEPLOY_BRANCHES = ['refs/heads/main', 'refs/heads/master'];

export interface RefChange {
  old: string;
  new: string;
  ref: string;
}

export interface PushQuestion {
  quarantine: Quarantine;
  refs: RefChange[];
}

export interface PushDecision {
  /** The commit to build, if any. */
  commit: string | undefined;
  /** Other branches, and their new commit; undefined: deleted. */
  branches: { name: string; commit: string | undefined }[];
  /** Lines for the pusher about refs that do not deploy. */
  notes: string[];
}

/** What the pre-receive hook sends: see the hook in repositories.ts. Throws `internal` where it is cut off. */
export function parseQuestion(text: string): PushQuestion {
  const question: PushQuestion = { quarantine: {}, refs: [] };
  const lines = text.split('\n');
  if (!lines.includes('end')) throw new PaasError('internal', 'The pre-receive hook was cut off.');
  for (const line of lines) {
    const [word, ...rest] = line.split(' ');
    const value = rest.join(' ');
    if (word === 'objects' && value) question.quarantine.GIT_OBJECT_DIRECTORY = value;
    if (word === 'alternates' && value) question.quarantine.GIT_ALTERNATE_OBJECT_DIRECTORIES = value;
    if (word === 'ref') question.refs.push({ old: rest[0]!, new: rest[1]!, ref: rest.slice(2).join(' ') });
  }
  return question;
}

/** Which commit a push deploys. Throws `invalid` for what is refused: strange refs, and the deploy branch's deletion. */
export function decidePush(refs: RefChange[]): PushDecision {
  const decision: PushDecision = { commit: undefined, branches: [], notes: [] };
  for (const change of refs) {
    const deleted = /^0+$/.test(change.new);
    if (!/^refs\/(heads|tags)\/[A-Za-z0-9][A-Za-z0-9._+@/-]*$/.test(change.ref)) {
      throw new PaasError(
        'invalid',
        `Only branches and tags can be pushed, not ${JSON.stringify(change.ref)}.`,
      );
    }
    if (!DEPLOY_BRANCHES.includes(change.ref)) {
      if (change.ref.startsWith('refs/heads/')) {
        const name = change.ref.slice('refs/heads/'.length);
        decision.branches.push({ name, commit: deleted ? undefined : change.new });
      } else if (!deleted) {
        decision.notes.push('Pushed a tag, skipping build.');
      }
    } else if (deleted) {
      throw new PaasError(
        'invalid',
        'The deploy branch cannot be deleted. To remove the app: paas apps:destroy.',
      );
    } else if (decision.commit !== undefined && decision.commit !== change.new) {
      throw new PaasError(
        'invalid',
        'Both main and master were pushed, with different commits. Push one of them.',
      );
    } else {
      decision.commit = change.new;
    }
  }
  return decision;
}
