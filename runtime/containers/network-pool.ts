import { closeSync, openSync } from 'node:fs';
import type { AddressPool } from '../network/address-pool.ts';
import type { ContainerNetwork } from '../network/container-network.ts';
import { Demand } from '../network/demand.ts';
import { namespaceDescriptor, planNetworks } from '../network/network-plan.ts';
import type { ProcessMaker } from './process-maker.ts';

/** A network with its namespace, which lives as long as this descriptor or a process in it. */
export interface ReadyNetwork {
  network: ContainerNetwork;
  /** The caller closes it. */
  namespace: number;
}

export interface NetworkPoolOptions {
  processes: ProcessMaker;
  addresses: AddressPool;
  /** Has the interface of a network removed that nobody will use, then its address freed. */
  discard: (name: string) => void;
  /** How many to have ready. */
  bounds: { least: number; most: number };
}

/**
 * Networks made in advance, since making one takes longer than all the rest of a container's start. A process of the zygote's makes
 * them, a few at a time: the kernel's network lock never holds the event loop up. Each is used once. What is ready is held by nothing
 * but our descriptors, so that the kernel takes it away when we end, however we end.
 */
export class NetworkPool {
  readonly #options: NetworkPoolOptions;
  readonly #demand: Demand;
  readonly #ready: ReadyNetwork[] = [];
  readonly #waiting: PromiseWithResolvers<ReadyNetwork>[] = [];
  #filling: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: NetworkPoolOptions) {
    this.#options = options;
    this.#demand = new Demand(options.bounds);
  }

  /** One for a new container. Rejects with what kept it from being made. */
  take(): Promise<ReadyNetwork> {
    this.#demand.note(Date.now());
    const ready = this.#ready.shift();
    if (ready) {
      this.#checkIn(CALM_MILLISECONDS);
      return Promise.resolve(ready);
    }
    const waiter = Promise.withResolvers<ReadyNetwork>();
    this.#waiting.push(waiter);
    this.fill();
    return waiter.promise;
  }

  /** Begins to make what is missing. */
  fill(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#filling ??= this.#fillUp().finally(() => {
      this.#filling = undefined;
      if (this.#waiting.length > 0 && !this.#closed) this.fill();
    });
  }

  /** Lets go of what is ready; the kernel removes it. Resolves when nothing is being made any more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { namespace } of this.#ready.splice(0)) closeSync(namespace);
    await this.#filling;
  }

  async #fillUp(): Promise<void> {
    for (let failures = 0; !this.#closed && this.#missing() > 0; ) {
      try {
        for (const made of await this.#make(Math.min(this.#missing(), BATCH))) this.#give(made);
        failures = 0;
      } catch (error) {
        failures++;
        if (failures === TRIES) return this.#giveUp(error);
      }
    }
    this.#shrink(this.#demand.target(Date.now()));
    if (this.#ready.length > this.#options.bounds.least) this.#checkIn(SHRINK_MILLISECONDS);
  }

  /** Those who wait come first. */
  #missing(): number {
    const waiting = this.#waiting.length;
    return waiting > 0 ? waiting : this.#demand.target(Date.now()) - this.#ready.length;
  }

  async #make(count: number): Promise<ReadyNetwork[]> {
    const { addresses, processes, discard } = this.#options;
    const networks = addresses.takeSome(count);
    const namespaces: number[] = [];
    try {
      await processes.hold({ cloneFlags: 0, operations: planNetworks(networks) }, (pid) => {
        for (const index of networks.keys())
          namespaces.push(openSync(`/proc/${pid}/fd/${namespaceDescriptor(index)}`, 'r'));
      });
    } catch (error) {
      for (const namespace of namespaces) closeSync(namespace);
      for (const { name } of networks) discard(name);
      throw error;
    }
    return networks.map((network, index) => ({ network, namespace: namespaces[index]! }));
  }

  #give(made: ReadyNetwork): void {
    const waiter = this.#waiting.shift();
    if (waiter) waiter.resolve(made);
    else if (this.#closed) closeSync(made.namespace);
    else this.#ready.push(made);
  }

  #giveUp(error: unknown): void {
    if (this.#waiting.length === 0) console.error('Could not make networks in advance:', error);
    for (const waiter of this.#waiting.splice(0)) waiter.reject(error);
  }

  #shrink(size: number): void {
    for (const { network, namespace } of this.#ready.splice(size)) {
      closeSync(namespace);
      this.#options.discard(network.name);
    }
  }

  /** Not in the middle of a rush: what is ready serves that better than half a processor that makes more. */
  #checkIn(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.fill(), milliseconds).unref();
  }
}

/** So many at a time: the next waits for these some 10 ms. */
const BATCH = 16;
const TRIES = 3;
const CALM_MILLISECONDS = 250;
const SHRINK_MILLISECONDS = 60_000;
