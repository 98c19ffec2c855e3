import type { RouterLogLine, RouteTable } from './router/route-table.ts';
import type { TrafficCount } from './router/traffic.ts';
import { RouterClient } from './router-client.ts';

/** All router processes of the platform as one: each has the same table, each carries some of the requests. */
export class RouterGroup {
  readonly #routers: RouterClient[];

  constructor(socketPaths: string[]) {
    this.#routers = socketPaths.map((socketPath) => new RouterClient({ socketPath }));
  }

  /** Resolves when the table, or one that was set after it, is in effect in all of them. Rejects if they refuse it. */
  async setRoutes(table: RouteTable): Promise<void> {
    await Promise.all(this.#routers.map((router) => router.setRoutes(table)));
  }

  /** Resolves when no request to these dynos is in flight anywhere, or the time is over; with how many there still are. */
  async drain(dynos: { address: string; port: number }[], timeoutMs: number): Promise<{ inFlight: number }> {
    const all = await Promise.all(this.#routers.map((router) => router.drain(dynos, timeoutMs)));
    return { inFlight: sum(all.map(({ inFlight }) => inFlight)) };
  }

  /** How many requests these dynos are busy with. */
  async inFlight(dynos: { address: string; port: number }[]): Promise<number> {
    const wanted = new Set(dynos.map(({ address, port }) => `${address}:${port}`));
    const all = await Promise.all(this.#routers.map((router) => router.inFlight()));
    const servers = all.flatMap((router) => router.servers).filter(({ server }) => wanted.has(server));
    return sum(servers.map(({ inFlight }) => inFlight));
  }

  /** How many requests dynos and dashboard are busy with; undefined: a router is away. */
  async totalInFlight(): Promise<number | undefined> {
    try {
      const all = await Promise.all(this.#routers.map((router) => router.inFlight()));
      return sum(all.map(({ total }) => total));
    } catch {
      return undefined;
    }
  }

  /** As RouterClient.followLogs(); lines of different routers come in no order. */
  async followLogs(onLine: (line: RouterLogLine) => void, signal: AbortSignal): Promise<void> {
    await Promise.all(this.#routers.map((router) => router.followLogs(onLine, signal)));
  }

  /** As RouterClient.followTraffic(): counts of each router. */
  async followTraffic(onCount: (count: TrafficCount) => void, signal: AbortSignal): Promise<void> {
    await Promise.all(this.#routers.map((router) => router.followTraffic(onCount, signal)));
  }

  async followWakes(onWake: (app: string) => void, signal: AbortSignal): Promise<void> {
    await Promise.all(this.#routers.map((router) => router.followWakes(onWake, signal)));
  }
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
