import type { OwedRef, OwedRefStore } from '../store/owed-ref-store.ts';
import type { GitTree } from './git-tree.ts';
import type { RefChange } from './pushed-refs.ts';
import type { Repositories } from './repositories.ts';

/**
 * Sees to it that a branch is where the release that it led to is. git moves the ref last, when all is done; should control, git or the
 * client go between the release going live and that, the ref is moved here, as git would have.
 */
export class OwedRefs {
  #store: OwedRefStore;
  #repositories: Repositories;
  #log: (text: string) => void;

  constructor(options: { store: OwedRefStore; repositories: Repositories; log: (text: string) => void }) {
    this.#store = options.store;
    this.#repositories = options.repositories;
    this.#log = options.log;
  }

  /** In the transaction in which the release of `tree` goes live. */
  note(repository: string, refs: RefChange[], tree: GitTree): void {
    tree.keepObjects();
    for (const { ref, old, new: commit } of refs) this.#store.add({ repository, ref, old, new: commit });
  }

  /** When a push is over, or (without an app) after a start of control, while no git runs. */
  async settle(app?: string): Promise<void> {
    for (const owed of this.#store.list(app)) {
      await this.#settle(owed).catch((error: Error) =>
        this.#log(`${owed.ref} of ${owed.repository} stays behind the release: ${error.message}`),
      );
      this.#store.remove(owed);
    }
  }

  async #settle({ repository, ...change }: OwedRef): Promise<void> {
    if (await this.#repositories.isAt(repository, change)) return;
    await this.#repositories.move(repository, change);
    this.#log(`${change.ref} of ${repository} is at ${change.new.slice(0, 8)} now, which serves`);
  }
}
