import type { AddressPool } from '../network/address-pool.ts';
import { Demand } from '../network/demand.ts';
import type { ContainerNetwork } from '../network/network-plan.ts';
import type { Sandbox } from './sandbox.ts';

export interface SandboxPoolOptions {
  addresses: AddressPool;
  /** Makes one with this network. */
  make: (network: ContainerNetwork) => Promise<Sandbox>;
  /** Has the interface of a network removed that nobody will use, then its address freed. */
  discardNetwork: (name: string) => void;
  /** Takes away one that nobody will use. */
  discard: (sandbox: Sandbox) => void;
  /** How many to have ready. */
  bounds: { least: number; most: number };
}

/**
 * Sandboxes made in advance, since making one takes longer than all the rest of a container's start. Processes of the zygote's make
 * them, a few at a time: the kernel's network lock never holds the event loop up. Each is used once.
 */
export class SandboxPool {
  readonly #options: SandboxPoolOptions;
  readonly #demand: Demand;
  readonly #ready: Sandbox[] = [];
  readonly #waiting: PromiseWithResolvers<Sandbox>[] = [];
  #filling: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastBusy = 0;
  #isSoon = false;
  #closed = false;

  constructor(options: SandboxPoolOptions) {
    this.#options = options;
    this.#demand = new Demand(options.bounds);
  }

  /** One for a new container. Rejects with what kept it from being made. */
  take(): Promise<Sandbox> {
    this.#demand.note(Date.now());
    this.postpone();
    for (let ready = this.#ready.shift(); ready; ready = this.#ready.shift()) {
      this.#checkIn(this.#ready.length < FEW ? SOON_MILLISECONDS : CALM_MILLISECONDS);
      if (ready.alive) return Promise.resolve(ready);
      this.#options.discard(ready);
    }
    const waiter = Promise.withResolvers<Sandbox>();
    this.#waiting.push(waiter);
    this.fill();
    return waiter.promise;
  }

  /** Something goes on that needs the processors more than what is made in advance. */
  postpone(): void {
    this.#lastBusy = Date.now();
  }

  /** Begins to make what is missing. */
  fill(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isSoon = false;
    this.#filling ??= this.#fillUp().finally(() => {
      this.#filling = undefined;
      if (this.#waiting.length > 0 && !this.#closed) this.fill();
    });
  }

  /** Lets go of what is ready. Resolves when nothing is being made any more. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const sandbox of this.#ready.splice(0)) this.#options.discard(sandbox);
    await this.#filling;
  }

  async #fillUp(): Promise<void> {
    for (let failures = 0; !this.#closed && this.#missing() > 0; ) {
      if (this.#isPostponed) return this.#checkIn(CALM_MILLISECONDS);
      const results = await this.#make(Math.min(this.#missing(), BATCH));
      const failure = results.find((result) => result.status === 'rejected');
      failures = failure ? failures + 1 : 0;
      if (failures === TRIES) return this.#giveUp(failure!.reason);
    }
    this.#shrink(this.#demand.target(Date.now()));
    if (this.#ready.length > this.#options.bounds.least) this.#checkIn(SHRINK_MILLISECONDS);
  }

  /** Not in the middle of a rush: what is ready serves that better than half a processor that makes more. */
  get #isPostponed(): boolean {
    const isRush = Date.now() - this.#lastBusy < CALM_MILLISECONDS;
    return isRush && this.#waiting.length === 0 && this.#ready.length >= FEW;
  }

  /** Those who wait come first. */
  #missing(): number {
    const waiting = this.#waiting.length;
    return waiting > 0 ? waiting : this.#demand.target(Date.now()) - this.#ready.length;
  }

  async #make(count: number): Promise<PromiseSettledResult<void>[]> {
    try {
      const networks = this.#options.addresses.takeSome(count);
      return await Promise.allSettled(networks.map((network) => this.#makeOne(network)));
    } catch (reason) {
      return [{ status: 'rejected', reason }];
    }
  }

  async #makeOne(network: ContainerNetwork): Promise<void> {
    try {
      this.#give(await this.#options.make(network));
    } catch (error) {
      this.#options.discardNetwork(network.name);
      throw error;
    }
  }

  #give(made: Sandbox): void {
    const waiter = this.#waiting.shift();
    if (waiter) waiter.resolve(made);
    else if (this.#closed) this.#options.discard(made);
    else this.#ready.push(made);
  }

  #giveUp(error: unknown): void {
    if (this.#waiting.length === 0) console.error('Could not make sandboxes in advance:', error);
    for (const waiter of this.#waiting.splice(0)) waiter.reject(error);
  }

  #shrink(size: number): void {
    for (const sandbox of this.#ready.splice(size)) this.#options.discard(sandbox);
  }

  #checkIn(milliseconds: number): void {
    if (this.#isSoon) return;
    this.#isSoon = milliseconds === SOON_MILLISECONDS;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.fill(), milliseconds).unref();
  }
}

/** So many at a time: the next waits for these some milliseconds. */
const BATCH = 8;
const TRIES = 3;
/** With so few left, more are made in the middle of a rush, too: the next would have to wait for one. Not while this one starts, though. */
const FEW = 4;
const SOON_MILLISECONDS = 15;
const CALM_MILLISECONDS = 250;
const SHRINK_MILLISECONDS = 60_000;
