/**
 * Whether a server is to be preferred to others: one that refuses connections, or does not get its answers out several times in a
 * row, is left alone for a while, which doubles each time. It is still used when there is no other.
 */
export class DynoHealth {
  #failures = 0;
  #pause = FIRST_PAUSE;
  #until = 0;

  /** `now`: of performance.now(), as all times here. */
  isAvoided(now: number): boolean {
    return this.#until > now;
  }

  /** A connection was refused, or timed out. */
  unreachable(now: number): void {
    this.#avoid(now);
  }

  /** A request came to no good: no answer, none in time, or a broken one. */
  failed(now: number): void {
    if (++this.#failures >= IN_A_ROW) this.#avoid(now);
  }

  answered(): void {
    if (this.#failures === 0 && this.#pause === FIRST_PAUSE) return;
    this.#failures = 0;
    this.#pause = FIRST_PAUSE;
  }

  #avoid(now: number): void {
    if (this.isAvoided(now)) return;
    this.#until = now + this.#pause;
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }
}

const IN_A_ROW = 5;
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
