import { readdirSync } from 'node:fs';
import { totalmem } from 'node:os';
import { AddressPool } from '../network/address-pool.ts';
import { planSubnet, planSubnetRemoval } from '../network/network-plan.ts';
import { Subnet } from '../network/subnet.ts';
import { InterfaceRemoval } from './interface-removal.ts';
import { NetworkPool, type ReadyNetwork } from './network-pool.ts';
import type { ProcessMaker } from './process-maker.ts';

/** Which container has which network, which are ready, and which are left over. */
export class Networks {
  readonly #processes: ProcessMaker;
  readonly #subnet: Subnet;
  readonly #addresses: AddressPool;
  readonly #pool: NetworkPool;
  readonly #removal: InterfaceRemoval;
  readonly #names = new Map<string, string>();
  /** Of an earlier runtime, until they are adopted. */
  readonly #unclaimed: Set<string>;

  constructor(options: { tag: string; subnet: string; processes: ProcessMaker }) {
    this.#processes = options.processes;
    this.#subnet = new Subnet(options.subnet);
    this.#addresses = new AddressPool({
      tag: options.tag,
      subnet: this.#subnet,
      existing: readdirSync('/sys/class/net'),
    });
    this.#unclaimed = new Set(this.#addresses.interfaces());
    this.#removal = new InterfaceRemoval(options);
    this.#pool = new NetworkPool({
      processes: options.processes,
      addresses: this.#addresses,
      discard: (name) => void this.#remove(name).catch(reportLeftover),
      bounds: poolBounds(totalmem(), this.#subnet.capacity),
    });
  }

  /** Gets the host ready. */
  async ensureSubnet(): Promise<void> {
    await this.#processes.run(planSubnet(this.#subnet));
  }

  /** Begins to make networks in advance. */
  fillPool(): void {
    this.#pool.fill();
  }

  /** Lets go of what was made in advance; containers keep theirs. */
  close(): void {
    void this.#pool.close();
  }

  /** Takes everything away that no container has: networks made in advance, and what `ensureSubnet` did. */
  async dismantle(): Promise<void> {
    await this.#pool.close();
    await Promise.all(this.#addresses.interfaces().map((name) => this.#remove(name)));
    await this.#processes.run(planSubnetRemoval(this.#subnet));
  }

  /** A network for a new container; the caller closes its descriptor. Rejects when all addresses are taken. */
  async take(id: string): Promise<ReadyNetwork> {
    const ready = await this.#pool.take();
    this.#names.set(id, ready.network.name);
    return ready;
  }

  /** A container that an earlier runtime started has this address. */
  adopt(id: string, address: string): void {
    const name = this.#addresses.interfaceOf(address);
    this.#names.set(id, name);
    this.#unclaimed.delete(name);
  }

  /** Removes a container's network, if it has one, and frees its address. */
  async release(id: string): Promise<void> {
    const name = this.#names.get(id);
    if (name === undefined) return;
    this.#names.delete(id);
    await this.#remove(name);
  }

  /** Removes the networks that an earlier runtime left and that belong to no container. */
  async cleanUp(): Promise<void> {
    const leftover = [...this.#unclaimed];
    this.#unclaimed.clear();
    await Promise.all(leftover.map((name) => this.#remove(name)));
  }

  async #remove(name: string): Promise<void> {
    await this.#removal.remove(name);
    this.#addresses.free(name);
  }
}

function reportLeftover(error: unknown): void {
  console.error('A network that nobody uses could not be removed:', error);
}

/** A network takes some 210 KB of the kernel's memory: at most 1/64 of it for those that only wait, and never most of the addresses. */
function poolBounds(memory: number, addresses: number): { least: number; most: number } {
  const NETWORK_SIZE = 210 * 1024;
  return { least: 8, most: Math.floor(Math.min(memory / 64 / NETWORK_SIZE, addresses / 4)) };
}
