import { integer, object } from './parse-value.ts';
import type { RouteMap } from './route-map.ts';

/** App, client: how many of its requests were let in. */
export type TakenRequests = Record<string, Record<string, number>>;

/**
 * Makes rate limits hold for all router processes together: each tells the others, ten times a second, whom it let in. So a client may go beyond
 * its burst at each of them within that time, and has to wait for it afterwards; its pace holds for all.
 */
export class SharedRates {
  readonly #routes: RouteMap;
  readonly #others: string[];

  /** `others`: control sockets of the other routers. */
  constructor(routes: RouteMap, others: string[]) {
    this.#routes = routes;
    this.#others = others;
  }

  /** For as long as the process lives. */
  start(): void {
    if (this.#others.length > 0) setInterval(() => this.tell(), INTERVAL_MS).unref();
  }

  /** Begins to count, and tells what was counted since the last time. A router that is away begins anew anyway. */
  tell(): void {
    const taken: TakenRequests = {};
    for (const [app, rate] of this.#routes.rates()) {
      const requests = rate.taken();
      if (requests.size > 0) taken[app] = Object.fromEntries(requests);
    }
    if (Object.keys(taken).length === 0) return;
    const body = JSON.stringify(taken);
    for (const socketPath of this.#others) send(socketPath, body);
  }
}

/** What another router tells. Throws RouteTableError. */
export function noteTaken(value: unknown, { routes, now }: { routes: RouteMap; now: number }): void {
  for (const [app, clients] of Object.entries(object(value, 'the requests'))) {
    const rate = routes.rate(app);
    for (const [client, requests] of Object.entries(object(clients, app)))
      rate?.add(client, integer(requests, `${app}.${client}`, [1, 1_000_000]), now);
  }
}

function send(socketPath: string, body: string): void {
  const { request } = process.getBuiltinModule('node:http');
  const call = request({ socketPath, method: 'POST', path: '/taken', agent: false, timeout: 5000 });
  call.on('response', (response) => response.resume());
  call.on('error', () => {});
  call.on('timeout', () => call.destroy());
  call.end(body);
}

const INTERVAL_MS = 100;
