import { Demand } from './demand.ts';

/** How soon a reserve is looked after, in milliseconds. */
const WITHIN = {
  /** Not in the middle of the start that has taken the last but a few. */
  soon: 15,
  /** When a rush is over. */
  calm: 250,
  /** When what the last rush took may be too many. */
  later: 60_000,
} as const;

/**
 * When a reserve of what is made in advance is filled up again, and how far. Not in the middle of a rush: what is ready serves that better than
 * half a processor that makes more.
 */
export class Refill {
  readonly #demand: Demand;
  readonly #begin: () => void;
  #lastBusy = 0;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;

  /** `begin` begins to make what is missing. */
  constructor(bounds: { least: number; most: number }, begin: () => void) {
    this.#demand = new Demand(bounds);
    this.#begin = begin;
  }

  /** One of the reserve was taken. */
  note(): void {
    this.postpone();
    this.#demand.note(this.#lastBusy);
  }

  /** Something goes on that needs the processors more than what is made in advance. */
  postpone(): void {
    this.#lastBusy = Date.now();
  }

  /** How many there should be. */
  get target(): number {
    return this.#demand.target(Date.now());
  }

  get isRush(): boolean {
    return Date.now() - this.#lastBusy < WITHIN.calm;
  }

  /** Begins then, or before, if that is asked for already. */
  checkIn(when: keyof typeof WITHIN): void {
    const dueAt = performance.now() + WITHIN[when];
    if (dueAt >= this.#dueAt) return;
    this.stop();
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => {
      this.stop();
      this.#begin();
    }, WITHIN[when]).unref();
  }

  /** Forgets when it was to begin. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#dueAt = Number.POSITIVE_INFINITY;
  }
}
