import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';
import { trimMemory } from './syscall/memory.ts';

const IDLE_MILLISECONDS = 30_000;

type CollectGarbage = (options: { type: 'major'; flavor: 'regular'; execution: 'sync' }) => void;

/** Gives memory back to the system once there has been nothing to do for a while: V8 and malloc by themselves keep it for the next time. */
export class IdleMemory {
  readonly #collect: CollectGarbage;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    v8.setFlagsFromString('--expose-gc');
    this.#collect = runInNewContext('gc');
  }

  /** There was something to do. */
  touch(): void {
    if (this.#timer) this.#timer.refresh();
    else this.#timer = setTimeout(() => this.#shrink(), IDLE_MILLISECONDS).unref();
  }

  #shrink(): void {
    this.#timer = undefined;
    this.#collect({ type: 'major', flavor: 'regular', execution: 'sync' });
    trimMemory();
  }
}
