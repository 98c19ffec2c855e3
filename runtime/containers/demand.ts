/**
 * How many to have ready of what is made in advance: as many as the last rush took, within bounds. A rush is what comes within seconds; it is
 * remembered for minutes, since whoever starts many containers at once may soon do so again.
 */
export class Demand {
  readonly #least: number;
  readonly #most: number;
  readonly #rush = new Decaying(RUSH_MILLISECONDS);
  readonly #peak = new Decaying(MEMORY_MILLISECONDS);

  constructor(bounds: { least: number; most: number }) {
    this.#least = bounds.least;
    this.#most = Math.max(bounds.least, bounds.most);
  }

  /** One was taken. */
  note(now: number): void {
    this.#rush.set(now, this.#rush.at(now) + 1);
    this.#peak.set(now, Math.max(this.#peak.at(now), this.#rush.at(now)));
  }

  /** How many there should be. */
  target(now: number): number {
    const wanted = Math.round(this.#peak.at(now) * MARGIN);
    return Math.min(this.#most, Math.max(this.#least, wanted));
  }
}

/** Half-lives. */
const RUSH_MILLISECONDS = 5000;
const MEMORY_MILLISECONDS = 300_000;
const MARGIN = 1.25;

/** A value that halves in a given time. */
class Decaying {
  readonly #halfLife: number;
  #value = 0;
  #time = 0;

  constructor(halfLife: number) {
    this.#halfLife = halfLife;
  }

  at(now: number): number {
    return this.#value * 2 ** ((this.#time - now) / this.#halfLife);
  }

  set(now: number, value: number): void {
    this.#value = value;
    this.#time = now;
  }
}
