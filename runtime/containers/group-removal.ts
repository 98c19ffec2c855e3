import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Batches } from '../batches.ts';
import type { Cgroups } from '../cgroups/cgroups.ts';
import type { Operation } from '../init/operation-list.ts';
import { AT } from '../syscall/constants.ts';
import { turns } from '../turns.ts';
import type { ProcessMaker } from './process-maker.ts';

/**
 * Removes containers' control groups, many in one process of the zygote's: the kernel takes a tenth of a millisecond for each folder, and says
 * EBUSY until the last process is reaped, a little after its end. Those of a crowd go when all of it has ended: for each group the kernel looks
 * through all file systems, and what has ended has none left.
 */
export class GroupRemoval {
  readonly #cgroups: Cgroups;
  readonly #processes: ProcessMaker;
  readonly #batches = new Batches({
    gather: (isFirst) => (isFirst ? this.#quiet() : sleep(GATHER_MILLISECONDS)),
    most: MOST_AT_ONCE,
    work: (ids) => this.#removeSome(ids),
  });
  /** When the last one came, by performance.now(). */
  #latest = 0;

  constructor(parts: { cgroups: Cgroups; processes: ProcessMaker }) {
    this.#cgroups = parts.cgroups;
    this.#processes = parts.processes;
  }

  /** Resolves when nothing of the group is left. Idempotent. Rejects if it cannot be emptied. */
  remove(id: string): Promise<void> {
    this.#latest = performance.now();
    return this.#batches.add(id);
  }

  /** Resolves when no more have come for a while, or after a longer while. */
  async #quiet(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MILLISECONDS;
    for (let now = performance.now(); now < deadline; now = performance.now()) {
      const left = this.#latest + QUIET_MILLISECONDS - now;
      if (left <= 0) return;
      await sleep(left);
    }
  }

  async #removeSome(ids: string[]): Promise<PromiseSettledResult<void>[]> {
    const folders = ids.flatMap((id) => this.#cgroups.folders(id));
    const [removal] = await Promise.allSettled([this.#processes.run(planRemoval(folders))]);
    return removal.status === 'fulfilled'
      ? ids.map(() => removal)
      : Promise.allSettled(ids.map((id) => this.#finish(id)));
  }

  /** What is still there by now may have processes in it. */
  async #finish(id: string): Promise<void> {
    await turns.next();
    if (this.#cgroups.folders(id).some((folder) => existsSync(folder))) await this.#cgroups.remove(id);
  }
}

/** Lets what ends together be removed together, and its last process be reaped. */
const GATHER_MILLISECONDS = 5;
const MOST_AT_ONCE = 64;
const QUIET_MILLISECONDS = 20;
const PATIENCE_MILLISECONDS = 2000;

/** Removes what can be, then makes sure that all are gone: to look from here would hold up the event loop, as looking waits for what others remove meanwhile. */
function planRemoval(folders: string[]): Operation[] {
  return [
    ...folders.map((path) => removeFolder(path, 'any')),
    ...folders.map((path) => removeFolder(path, 'ENOENT')),
  ];
}

function removeFolder(path: string, tolerate: string): Operation {
  const REMOVE_FOLDER = 0x200;
  return {
    call: 'unlinkat',
    args: [AT.FDCWD, path, REMOVE_FOLDER],
    purpose: `remove "${path}"`,
    tolerate,
  };
}
