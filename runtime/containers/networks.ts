import { readdirSync } from 'node:fs';
import { AddressPool } from '../network/address-pool.ts';
import type { ContainerNetwork } from '../network/container-network.ts';
import { planNetworkRemoval, planSubnet, planSubnetRemoval } from '../network/network-plan.ts';
import { Subnet } from '../network/subnet.ts';
import type { ProcessMaker } from './process-maker.ts';

/** Which container has which network, and which are left over. */
export class Networks {
  readonly #processes: ProcessMaker;
  readonly #subnet: Subnet;
  readonly #pool: AddressPool;
  readonly #names = new Map<string, string>();

  constructor(options: { tag: string; subnet: string; processes: ProcessMaker }) {
    this.#processes = options.processes;
    this.#subnet = new Subnet(options.subnet);
    this.#pool = new AddressPool({
      tag: options.tag,
      subnet: this.#subnet,
      existing: readdirSync('/sys/class/net'),
    });
  }

  /** Gets the host ready. */
  async ensureSubnet(): Promise<void> {
    await this.#processes.run(planSubnet(this.#subnet));
  }

  /** Takes back `ensureSubnet`. */
  async removeSubnet(): Promise<void> {
    await this.#processes.run(planSubnetRemoval(this.#subnet));
  }

  /** An address for a new container. Throws when all are taken. */
  take(id: string): ContainerNetwork {
    const network = this.#pool.take();
    this.#names.set(id, network.name);
    return network;
  }

  /** A container that an earlier runtime started has this address. */
  adopt(id: string, address: string): void {
    this.#names.set(id, this.#pool.interfaceOf(address));
  }

  /** Removes a container's network, if it has one, and frees its address. */
  async release(id: string): Promise<void> {
    const name = this.#names.get(id);
    if (name === undefined) return;
    this.#names.delete(id);
    await this.#remove(name);
  }

  /** Removes the networks of this instance that belong to no container. */
  async cleanUp(): Promise<void> {
    const known = new Set(this.#names.values());
    const leftover = this.#pool.interfaces().filter((name) => !known.has(name));
    await Promise.all(leftover.map((name) => this.#remove(name)));
  }

  async #remove(name: string): Promise<void> {
    await this.#processes.run(planNetworkRemoval(name));
    this.#pool.free(name);
  }
}
