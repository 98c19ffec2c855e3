import { randomInt } from 'node:crypto';
import type { ContainerNetwork } from './container-network.ts';
import type { Subnet } from './subnet.ts';

/**
 * Which container addresses are taken. Nothing is stored: the name of a container's network interface tells its address,
 * so what exists in the kernel is the truth, also after the runtime's restart.
 *
 * Freed addresses are given out again as late as possible: whoever still holds one must not reach another app by it.
 */
export class AddressPool {
  readonly #subnet: Subnet;
  readonly #prefix: string;
  readonly #taken: Set<number>;
  #next: number;

  /** @param existing names of all network interfaces of the host. */
  constructor(options: { subnet: Subnet; tag: string; existing: string[] }) {
    this.#subnet = options.subnet;
    this.#prefix = interfacePrefix(options.tag);
    this.#taken = new Set(
      options.existing.flatMap((name) => {
        const offset = this.#offsetOf(name);
        return offset === undefined ? [] : [offset];
      }),
    );
    this.#next = randomInt(1, options.subnet.capacity + 1);
  }

  /** A free address. Throws when there is none left. */
  take(): ContainerNetwork {
    const { capacity } = this.#subnet;
    for (let tries = 0; tries < capacity; tries++) {
      const offset = this.#next;
      this.#next = (offset % capacity) + 1;
      if (this.#taken.has(offset)) continue;
      this.#taken.add(offset);
      return {
        name: this.#prefix + offset.toString(16),
        index: randomInt(FIRST_INDEX, 2 ** 31),
        address: this.#subnet.address(offset),
      };
    }
    throw new Error(`All ${capacity} addresses of ${this.#subnet.cidr} are taken; set a larger PAAS_SUBNET.`);
  }

  /** As many free addresses as there are, up to `count`. Throws when there is none left. */
  takeSome(count: number): ContainerNetwork[] {
    const left = this.#subnet.capacity - this.#taken.size;
    return Array.from({ length: Math.max(1, Math.min(count, left)) }, () => this.take());
  }

  /** Gives back the address of this interface. */
  free(name: string): void {
    const offset = this.#offsetOf(name);
    if (offset !== undefined) this.#taken.delete(offset);
  }

  /** A container of an earlier runtime has this address: nobody else gets it. Returns the name of its interface. */
  claim(address: string): string {
    const offset = this.#subnet.offset(address);
    this.#taken.add(offset);
    return this.#prefix + offset.toString(16);
  }

  /** Names of the interfaces of this instance. */
  interfaces(): string[] {
    return [...this.#taken].map((offset) => this.#prefix + offset.toString(16));
  }

  #offsetOf(name: string): number | undefined {
    if (!name.startsWith(this.#prefix)) return undefined;
    const offset = Number.parseInt(name.slice(this.#prefix.length), 16);
    return offset >= 1 && offset <= this.#subnet.capacity ? offset : undefined;
  }
}

/** All interfaces of an instance start with it: 15 characters are the most that a name may have. */
export function interfacePrefix(tag: string): string {
  return `v${tag}-`;
}

/** The kernel numbers interfaces from 1 on: far from those. */
const FIRST_INDEX = 1 << 20;
