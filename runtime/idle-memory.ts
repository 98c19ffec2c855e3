import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';
import { trimMemory } from './syscall/memory.ts';

/** Share of the time that answering a question now and then takes, such as control's for the figures of each container. */
const QUIET = 0.01;

/** Milliseconds. */
interface Times {
  /** How often it is looked whether there is still work. */
  look?: number;
  /** For so long nobody has asked anything: while it collects, nobody is answered. */
  rest?: number;
}

type CollectGarbage = (options: { type: 'major'; flavor: 'regular'; execution: 'sync' }) => void;

/** Gives memory back to the system once after each time of work: V8 and malloc by themselves keep it for the next time. */
export class IdleMemory {
  readonly #collect: CollectGarbage;
  readonly #times: Required<Times>;
  #timer: NodeJS.Timeout | undefined;
  #seen = performance.eventLoopUtilization();
  #touched = 0;
  /** Its start is work. */
  #worked = true;

  constructor({ look = 30_000, rest = 1000 }: Times = {}) {
    this.#times = { look, rest };
    v8.setFlagsFromString('--expose-gc');
    this.#collect = runInNewContext('gc');
  }

  /** There is something to do. */
  touch(): void {
    this.#touched = performance.now();
    if (this.#timer) return;
    this.#seen = performance.eventLoopUtilization();
    this.#lookAfter(this.#times.look);
  }

  #lookAfter(pause: number): void {
    this.#timer = setTimeout(() => this.#look(), pause).unref();
  }

  #look(): void {
    const moment = this.#times.rest - (performance.now() - this.#touched);
    if (moment > 0) {
      this.#lookAfter(moment);
      return;
    }
    this.#timer = undefined;
    const isQuiet = performance.eventLoopUtilization(this.#seen).utilization < QUIET;
    if (isQuiet && this.#worked) this.#shrink();
    this.#worked = !isQuiet;
    if (this.#worked) this.touch();
  }

  #shrink(): void {
    this.#collect({ type: 'major', flavor: 'regular', execution: 'sync' });
    trimMemory();
  }
}
