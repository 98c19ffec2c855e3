import { isIPv6 } from 'node:net';

/** How many connections each client has, so that no one takes all. */
export class ClientCounts {
  readonly #most: number;
  readonly #counts = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Counts a connection of this address; false: the client has too many. */
  add(address: string): boolean {
    const client = clientOf(address);
    const count = (this.#counts.get(client) ?? 0) + 1;
    this.#counts.set(client, count);
    return count <= this.#most;
  }

  remove(address: string): void {
    const client = clientOf(address);
    const count = (this.#counts.get(client) ?? 0) - 1;
    if (count > 0) this.#counts.set(client, count);
    else this.#counts.delete(client);
  }
}

/** Of IPv6 the network of 64 bits: who has one address of it has them all. */
export function clientOf(address: string): string {
  // The usual case, without a regular expression's cost.
  if (!address.includes(':') || !isIPv6(address)) return address;
  const [before = '', after] = address.split('::');
  const groups = before === '' ? [] : before.split(':');
  if (after !== undefined) {
    const last = after === '' ? [] : after.split(':');
    while (groups.length + last.length < 8) groups.push('0');
    groups.push(...last);
  }
  return groups.slice(0, 4).join(':');
}
