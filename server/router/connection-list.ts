import type { Connection } from './connection.ts';

/** A connection's place in a list; of use to the list alone. */
export interface Place {
  /** undefined: the list's ends. */
  readonly connection: Connection | undefined;
  before: Place | undefined;
  after: Place | undefined;
}

/**
 * Connections in the order in which they came.
 *
 * Not a Set: the table of one that was used up points to the next table, and still to all that it held. As soon as such a table is in V8's old
 * generation, the connections of all later ones count as in use: each is copied twice, and kept until everything is collected. What was taken
 * out of this list points to nothing.
 */
export class ConnectionList {
  /** Before the first and after the last. */
  readonly #ends: Place = { connection: undefined, before: undefined, after: undefined };
  #size = 0;

  constructor() {
    this.#ends.before = this.#ends;
    this.#ends.after = this.#ends;
  }

  get size(): number {
    return this.#size;
  }

  add(connection: Connection): Place {
    const last = this.#ends.before!;
    const place: Place = { connection, before: last, after: this.#ends };
    last.after = place;
    this.#ends.before = place;
    this.#size++;
    return place;
  }

  /** False: it was taken out before. */
  remove(place: Place): boolean {
    const { before, after } = place;
    if (!before || !after) return false;
    before.after = after;
    after.before = before;
    place.before = undefined;
    place.after = undefined;
    this.#size--;
    return true;
  }

  /** As they are now, the oldest first. */
  all(): Connection[] {
    const connections: Connection[] = [];
    for (let place = this.#ends.after!; place.connection; place = place.after!)
      connections.push(place.connection);
    return connections;
  }

  /** The place of the oldest one that is idle. */
  oldestIdle(): Place | undefined {
    let place = this.#ends.after!;
    while (place.connection && !place.connection.isIdle) place = place.after!;
    return place.connection && place;
  }
}
