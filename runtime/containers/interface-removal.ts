import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Batches } from '../batches.ts';
import { planNetworkRemoval } from '../network/network-plan.ts';
import type { ProcessMaker } from './process-maker.ts';

/**
 * Takes interfaces away, some at a time. By itself the kernel takes away those of all namespaces that have ended meanwhile, in one piece: with
 * a crowd that is tens of milliseconds in which nobody else has that processor. So the namespaces of what is about to end are held until theirs is gone.
 */
export class InterfaceRemoval {
  readonly #processes: ProcessMaker;
  readonly #group: number;
  readonly #batches = new Batches({
    gather: () => sleep(GATHER_MILLISECONDS),
    most: MOST_AT_ONCE,
    work: (names) => this.#removeSome(names),
  });
  /** Descriptors of namespaces, by interface. */
  readonly #held = new Map<string, number>();

  /** @param tag hex digits: of the instance. */
  constructor(options: { tag: string; processes: ProcessMaker }) {
    this.#processes = options.processes;
    this.#group = GROUP_BASE + Number.parseInt(options.tag, 16);
  }

  /** A process that has this interface is about to end: its namespace stays until `remove`. */
  hold(name: string, pid: number): void {
    if (this.#held.has(name)) return;
    try {
      this.#held.set(name, openSync(`/proc/${pid}/ns/net`, 'r'));
    } catch {
      // It has ended already, and the kernel is at it.
    }
  }

  /** Resolves when no interface of this name is left. */
  remove(name: string): Promise<void> {
    return this.#batches.add(name);
  }

  async #removeSome(names: string[]): Promise<PromiseSettledResult<void>[]> {
    const [removal] = await Promise.allSettled([this.#processes.run(planNetworkRemoval(names, this.#group))]);
    for (const name of names) this.#letGo(name);
    return names.map(() => removal);
  }

  #letGo(name: string): void {
    const namespace = this.#held.get(name);
    if (namespace !== undefined) closeSync(namespace);
    this.#held.delete(name);
  }
}

/** Interfaces are in group 0 by default; nobody else has one in this range. */
const GROUP_BASE = 0x7000_0000;
/** Lets what ends together go together: the kernel waits some 10 ms for each removal, however many it takes. */
const GATHER_MILLISECONDS = 3;
/** Takes the kernel some 3 ms. */
const MOST_AT_ONCE = 12;
