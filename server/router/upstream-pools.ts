import { UpstreamPool } from './upstream-pool.ts';
import type { Address } from './wire.ts';

/** The pools of all servers in the route table, and of those that are busy still. */
export class UpstreamPools {
  readonly #maxIdle: number;
  /** By address or path, those that are retired but still busy among them. */
  readonly #pools = new Map<string, UpstreamPool>();
  /** How many places in the route table name a pool. */
  readonly #uses = new Map<UpstreamPool, number>();

  constructor(options: { maxIdle: number }) {
    this.#maxIdle = options.maxIdle;
  }

  /** The pool of a server, for one place in the route table. */
  take(address: Address): UpstreamPool {
    const key = 'path' in address ? address.path : keyOf(address.host, address.port);
    const pool = this.#pools.get(key) ?? new UpstreamPool(address, { maxIdle: this.#maxIdle });
    this.#pools.set(key, pool);
    this.#uses.set(pool, (this.#uses.get(pool) ?? 0) + 1);
    pool.retired = false;
    return pool;
  }

  /** That place is no more; with the last one the server is retired. */
  give(pool: UpstreamPool): void {
    const uses = this.#uses.get(pool)! - 1;
    if (uses > 0) {
      this.#uses.set(pool, uses);
      return;
    }
    this.#uses.delete(pool);
    pool.retired = true;
    pool.closeIdle();
  }

  /** Those of these addresses, as far as they are known. */
  at(addresses: { address: string; port: number }[]): UpstreamPool[] {
    return addresses.flatMap(({ address, port }) => this.#pools.get(keyOf(address, port)) ?? []);
  }

  /** How many requests each server is busy with, those without any left out. */
  inFlight(): { server: string; inFlight: number }[] {
    return [...this.#pools]
      .filter(([, pool]) => pool.inFlight > 0)
      .map(([server, { inFlight }]) => ({ server, inFlight }));
  }

  closeIdle(): void {
    for (const pool of this.#pools.values()) pool.closeIdle();
  }

  sweep(now: number): void {
    for (const [key, pool] of this.#pools) {
      pool.sweep(now);
      if (pool.retired && pool.inFlight === 0) this.#pools.delete(key);
    }
  }
}

function keyOf(host: string, port: number): string {
  return `${host}:${port}`;
}
