import { PaasError } from '../model/paas-error.ts';
import type { WaitingPush } from '../platform.ts';
import { DEPLOY_BRANCHES, type RefChange } from './pushed-refs.ts';

/** A push's place in the line of its repository. */
export interface PushTurn {
  /** False: it has to wait for another. */
  readonly isFirst: boolean;
  /** Resolves when it may go on, or when a newer one came: then `replaced` is aborted. */
  readonly ready: Promise<void>;
  /** Aborted, with a `conflict` that says by whose push, when a newer one of the same branches came. */
  readonly replaced: AbortSignal;
  leave(): void;
}

interface Place {
  repository: string;
  branches: Set<string>;
  user: string;
  since: Date;
  state: 'waiting' | 'going';
  replaced: AbortController;
  go: () => void;
}

/**
 * Pushes to the same branch of a repository, one after another: git compares a branch with what it told the client at the
 * beginning. Of those that wait only the newest goes on. A push that has its turn is told of a newer one too: its build may still wait.
 */
export class PushLine {
  #places = new Set<Place>();

  enter(repository: string, push: { user: string; refs: RefChange[] }): PushTurn {
    const { promise: ready, resolve: go } = Promise.withResolvers<void>();
    const branches = new Set(push.refs.map(({ ref }) => branchOf(ref)));
    const { user } = push;
    const place: Place = {
      ...{ repository, branches, user, since: new Date() },
      ...{ state: 'waiting', replaced: new AbortController(), go },
    };
    for (const older of this.#of(repository)) {
      if (branches.size === 0 || ![...older.branches].every((branch) => branches.has(branch))) continue;
      older.replaced.abort(replacedBy(push.user, [...older.branches]));
      if (older.state === 'waiting') this.#leave(older);
    }
    this.#places.add(place);
    this.#letGo();
    return {
      isFirst: place.state === 'going',
      ready,
      replaced: place.replaced.signal,
      leave: () => this.#leave(place),
    };
  }

  /** True while a push to it goes on or waits. */
  has(repository: string): boolean {
    return this.#of(repository).length > 0;
  }

  /** In the order of their turns. */
  waiting(repository?: string): WaitingPush[] {
    const places = repository === undefined ? [...this.#places] : this.#of(repository);
    return places
      .filter(({ state }) => state === 'waiting')
      .map(({ repository: app, branches, user, since }) => {
        return { app, user, branches: [...branches].map(shortName), since };
      });
  }

  #of(repository: string): Place[] {
    return [...this.#places].filter((place) => place.repository === repository);
  }

  #leave(place: Place): void {
    this.#places.delete(place);
    place.go();
    this.#letGo();
  }

  /** Whoever has nobody of a common branch before it. */
  #letGo(): void {
    const before: Place[] = [];
    for (const place of this.#places) {
      const isFree = !before.some((other) => conflict(other, place));
      if (isFree && place.state === 'waiting') {
        place.state = 'going';
        place.go();
      }
      before.push(place);
    }
  }
}

function conflict(one: Place, other: Place): boolean {
  return (
    one.repository === other.repository && [...one.branches].some((branch) => other.branches.has(branch))
  );
}

/** Both names of the deploy branch deploy the same app. */
function branchOf(ref: string): string {
  return DEPLOY_BRANCHES.includes(ref) ? DEPLOY_BRANCHES[0]! : ref;
}

function replacedBy(user: string, refs: string[]): PaasError {
  const names = refs.map(shortName).join(', ');
  return new PaasError('conflict', `Replaced by a newer push of ${names} by ${user}.`);
}

function shortName(ref: string): string {
  return ref.replace(/^refs\/(heads|tags)\//, '');
}
