import type { AddressPool } from '../network/address-pool.ts';
import type { ContainerNetwork } from '../network/network-plan.ts';
import { turns } from '../turns.ts';
import { Refill } from './refill.ts';
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
  readonly #refill: Refill;
  readonly #ready: Sandbox[] = [];
  readonly #waiting: PromiseWithResolvers<Sandbox>[] = [];
  #filling: Promise<void> | undefined;
  /** Which of those that are being made nobody should get any more. */
  #isWrong: ((sandbox: Sandbox) => boolean) | undefined;
  #closed = false;

  constructor(options: SandboxPoolOptions) {
    this.#options = options;
    this.#refill = new Refill(options.bounds, () => this.fill());
  }

  /** One for a new container, such a one if there is any. Rejects with what kept it from being made. */
  take(suits: (sandbox: Sandbox) => boolean): Promise<Sandbox> {
    this.#refill.note();
    for (let ready = this.#pick(suits); ready; ready = this.#pick(suits)) {
      this.#refill.checkIn(this.#ready.length < FEW ? 'soon' : 'calm');
      if (ready.alive) return Promise.resolve(ready);
      this.#options.discard(ready);
    }
    const waiter = Promise.withResolvers<Sandbox>();
    this.#waiting.push(waiter);
    this.fill();
    return waiter.promise;
  }

  /** Lets go of those that nobody should get any more, also of what is being made, and makes others. */
  drop(isWrong: (sandbox: Sandbox) => boolean): void {
    const before = this.#isWrong;
    this.#isWrong = (sandbox) => isWrong(sandbox) || (before?.(sandbox) ?? false);
    this.#discard(isWrong);
    if (!this.#closed) this.#refill.checkIn('calm');
  }

  /** Something goes on that needs the processors more than what is made in advance. */
  postpone(): void {
    this.#refill.postpone();
  }

  /** Begins to make what is missing. */
  fill(): void {
    this.#refill.stop();
    this.#filling ??= this.#fillUp().finally(() => {
      this.#filling = undefined;
      if (this.#waiting.length > 0 && !this.#closed) this.fill();
    });
  }

  /** Lets go of what is ready. Resolves when nothing is being made any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#refill.stop();
    for (const sandbox of this.#ready.splice(0)) this.#options.discard(sandbox);
    await this.#filling;
  }

  async #fillUp(): Promise<void> {
    // Those would count as ready until they are picked. To ask a thousand takes milliseconds, which a rush has not.
    if (!this.#isPostponed) this.#discard(({ alive }) => !alive);
    for (let failures = 0; !this.#closed && this.#missing() > 0; ) {
      if (this.#isPostponed) return this.#refill.checkIn('calm');
      const results = await this.#make(Math.min(this.#missing(), BATCH));
      const failure = results.find((result) => result.status === 'rejected');
      failures = failure ? failures + 1 : 0;
      if (failures === TRIES) return this.#giveUp(failure!.reason);
    }
    this.#shrink(this.#refill.target);
    if (this.#ready.length > this.#options.bounds.least) this.#refill.checkIn('later');
  }

  #pick(suits: (sandbox: Sandbox) => boolean): Sandbox | undefined {
    const [picked] = this.#ready.splice(Math.max(0, this.#ready.findIndex(suits)), 1);
    return picked;
  }

  get #isPostponed(): boolean {
    return this.#refill.isRush && this.#waiting.length === 0 && this.#ready.length >= FEW;
  }

  /** Those who wait come first. */
  #missing(): number {
    const waiting = this.#waiting.length;
    return waiting > 0 ? waiting : this.#refill.target - this.#ready.length;
  }

  async #make(count: number): Promise<PromiseSettledResult<void>[]> {
    // What was wrong so far is in none that begins now.
    this.#isWrong = undefined;
    try {
      const networks = this.#options.addresses.takeSome(count);
      return await Promise.allSettled(networks.map((network) => this.#makeOne(network)));
    } catch (reason) {
      return [{ status: 'rejected', reason }];
    }
  }

  async #makeOne(network: ContainerNetwork): Promise<void> {
    try {
      await turns.next();
      this.#give(await this.#options.make(network));
    } catch (error) {
      this.#options.discardNetwork(network.name);
      throw error;
    }
  }

  #give(made: Sandbox): void {
    const isWrong = this.#isWrong?.(made) ?? false;
    const waiter = isWrong ? undefined : this.#waiting.shift();
    if (waiter) waiter.resolve(made);
    else if (isWrong || this.#closed) this.#options.discard(made);
    else this.#ready.push(made);
  }

  #giveUp(error: unknown): void {
    if (this.#waiting.length === 0) console.error('Could not make sandboxes in advance:', error);
    for (const waiter of this.#waiting.splice(0)) waiter.reject(error);
  }

  #discard(isWrong: (sandbox: Sandbox) => boolean): void {
    for (const sandbox of this.#ready.splice(0)) {
      if (isWrong(sandbox)) this.#options.discard(sandbox);
      else this.#ready.push(sandbox);
    }
  }

  #shrink(size: number): void {
    for (const sandbox of this.#ready.splice(size)) this.#options.discard(sandbox);
  }
}

/** So many at a time: the next waits for these some milliseconds. */
const BATCH = 8;
const TRIES = 3;
/** With so few left, more are made in the middle of a rush, too: the next would have to wait for one. */
const FEW = 4;
