import type { RouteRules } from './route-table.ts';

type Rate = NonNullable<RouteRules['rate']>;

/**
 * How often each client may ask: at an even pace, and a burst beyond it (the generic cell rate algorithm, ITU-T I.371): a client has a
 * time at which its next request would be exactly in pace; it may be ahead of it by the burst.
 */
export class RateLimit {
  readonly #interval: number;
  readonly #ahead: number;
  readonly #most: number;
  /** Client → when it is back in pace, of performance.now(); the one that asked last is at the end. */
  readonly #due = new Map<string, number>();
  /** Client → requests since somebody asked for them; undefined: nobody does. */
  #taken: Map<string, number> | undefined;

  /** `most`: clients that are remembered. */
  constructor(rate: Rate, options: { most?: number } = {}) {
    this.#interval = rate.milliseconds / rate.requests;
    this.#ahead = this.#interval * rate.burst;
    this.#most = options.most ?? MOST_CLIENTS;
  }

  /** Clients that are remembered. */
  get size(): number {
    return this.#due.size;
  }

  /** Counts a request of a client; returns 0, or how many milliseconds it is too early. */
  take(client: string, now: number): number {
    const due = Math.max(this.#due.get(client) ?? now, now);
    const early = due + this.#interval - this.#ahead - now;
    if (early > ROUNDING) return early;
    this.#remember(client, due + this.#interval, now);
    if (this.#taken) this.#taken.set(client, (this.#taken.get(client) ?? 0) + 1);
    return 0;
  }

  /** Requests of each client since the last call, from the first one on. */
  taken(): Map<string, number> {
    const taken = this.#taken;
    this.#taken = new Map();
    return taken ?? new Map();
  }

  /** Counts what another router let in, be it too much. */
  add(client: string, requests: number, now: number): void {
    this.#remember(client, Math.max(this.#due.get(client) ?? now, now) + requests * this.#interval, now);
  }

  #remember(client: string, due: number, now: number): void {
    this.#due.delete(client);
    if (this.#due.size >= this.#most) this.#makeRoom(now);
    this.#due.set(client, due);
  }

  /** Forgets those that are back in pace, or who asked longest ago. */
  #makeRoom(now: number): void {
    for (const [client, due] of this.#due) if (due <= now) this.#due.delete(client);
    const excess = this.#due.size - this.#most * KEPT;
    if (excess <= 0) return;
    for (const client of this.#due.keys()) {
      if (this.#due.size <= this.#most * KEPT) break;
      this.#due.delete(client);
    }
  }
}

/** A hundred bytes each. */
const MOST_CLIENTS = 50_000;
/** So that room is not made for every single one. */
const KEPT = 0.9;
/** Of a millisecond: sums of fractions. */
const ROUNDING = 1e-6;
