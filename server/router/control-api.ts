import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { parseAddress, parseRouteChange, parseRouteTable } from './parse-route-table.ts';
import { RouteTableError } from './parse-value.ts';
import type { RouteFile } from './route-file.ts';
import { type RouteMap, StaleChange } from './route-map.ts';
import type { RouterLog } from './router-log.ts';
import { noteTaken } from './shared-rates.ts';
import type { Traffic } from './traffic.ts';

// An import statement would load WebSocket, fetch and TLS with it: 7 MB.
const { createServer } = process.getBuiltinModule('node:http');

/**
 * What control asks of the router, over HTTP on a unix socket that only their user may open:
 *
 *   PUT  /routes     the whole RouteTable        → 200 {"persisted":true} when it is in effect
 *   PATCH /routes    a RouteChange               → the same, or 409 when another table than the one named is in use
 *   POST /drain      {"dynos":[{"address","port"}],"timeout":ms}
 *                                                → 200 {"inFlight":n} when n is 0, or after the timeout
 *   POST /taken      TakenRequests               → 200 {}; for other routers
 *   GET  /logs                                   → lines as in log-lines.ts, for as long as it is read
 *   GET  /traffic                                → a TrafficCount as JSON lines for each app with requests, every 10 s, for as long as it is read
 *   GET  /wakes                                  → {"app"} as JSON lines, for every request to a sleeping app, for as long as it is read
 *   GET  /in-flight                              → 200 {"total":n,"servers":[{"server","inFlight"}],"droppedLogLines":n}
 *
 * Errors are {"error": text} with 400, 404, 409 or 500.
 */
export class ControlApi {
  readonly #routes: RouteMap;
  readonly #file: RouteFile;
  readonly #log: RouterLog;
  readonly #traffic: Traffic;
  readonly #server: Server;
  /** The last change to the routes: the next one comes after it. */
  #change: Promise<unknown> = Promise.resolve();

  constructor(options: { routes: RouteMap; file: RouteFile; log: RouterLog; traffic: Traffic }) {
    this.#routes = options.routes;
    this.#file = options.file;
    this.#log = options.log;
    this.#traffic = options.traffic;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  async listen(path: string): Promise<void> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, resolve);
    });
    chmodSync(path, 0o600);
  }

  /** Gives the socket's name to whoever comes next; calls in progress and followers go on. */
  release(): void {
    this.#server.close();
  }

  stop(): void {
    this.#server.closeAllConnections();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      switch (`${request.method} ${request.url}`) {
        case 'PUT /routes':
          return reply(response, 200, await this.#setRoutes(await readJson(request)));
        case 'PATCH /routes':
          return reply(response, 200, await this.#changeRoutes(await readJson(request)));
        case 'POST /drain':
          return reply(response, 200, await this.#drain(await readJson(request)));
        case 'POST /taken':
          noteTaken(await readJson(request), { routes: this.#routes, now: performance.now() });
          return reply(response, 200, {});
        case 'GET /logs':
          return this.#follow(response);
        case 'GET /wakes':
          return followJson(response, this.#routes.wakes);
        case 'GET /traffic':
          return followJson(response, this.#traffic);
        case 'GET /in-flight':
          return reply(response, 200, this.#inFlight());
        default:
          return reply(response, 404, {
            error:
              'There is PUT and PATCH /routes, POST /drain, POST /taken, GET /logs, GET /wakes, GET /traffic and GET /in-flight.',
          });
      }
    } catch (error) {
      if (error instanceof StaleChange) return reply(response, 409, { error: error.message });
      if (error instanceof RouteTableError) return reply(response, 400, { error: error.message });
      console.error('router: a request of control failed:', error);
      reply(response, 500, { error: 'The router failed at this; its own log says why.' });
    }
  }

  #setRoutes(value: unknown): Promise<{ persisted: boolean }> {
    const table = parseRouteTable(value);
    const change = this.#change.then(async () => {
      this.#routes.swap(table);
      return { persisted: await this.#save((file) => file.save(table)) };
    });
    this.#change = change.catch(() => {});
    return change;
  }

  #changeRoutes(value: unknown): Promise<{ persisted: boolean }> {
    const delta = parseRouteChange(value);
    const change = this.#change.then(async () => {
      this.#routes.change(delta);
      return { persisted: await this.#save((file) => file.append(delta, () => this.#routes.table!)) };
    });
    this.#change = change.catch(() => {});
    return change;
  }

  /** Traffic follows the new routes even if the disk is full: only a router that starts anew would have old ones. */
  async #save(write: (file: RouteFile) => Promise<void>): Promise<boolean> {
    try {
      await write(this.#file);
      return true;
    } catch (error) {
      console.error('router: cannot keep the routes for the next start:', error);
      return false;
    }
  }

  async #drain(value: unknown): Promise<{ inFlight: number }> {
    const { dynos, timeout } = (value ?? {}) as { dynos?: unknown; timeout?: unknown };
    if (!Array.isArray(dynos)) throw new RouteTableError('dynos is no list.');
    if (typeof timeout !== 'number' || !(timeout >= 0 && timeout <= MAX_DRAIN)) {
      throw new RouteTableError(`timeout must be 0 to ${MAX_DRAIN} milliseconds.`);
    }
    const pools = this.#routes.upstreams.at(dynos.map((dyno, i) => parseAddress(dyno, `dynos[${i}]`)));
    const quiet = Promise.all(pools.map((pool) => new Promise<void>((resolve) => pool.onceQuiet(resolve))));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      quiet,
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeout);
      }),
    ]);
    clearTimeout(timer);
    return { inFlight: pools.reduce((sum, pool) => sum + pool.inFlight, 0) };
  }

  #follow(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/plain; charset=us-ascii' });
    response.flushHeaders();
    this.#log.follow(response);
  }

  #inFlight() {
    const servers = this.#routes.upstreams.inFlight();
    const total = servers.reduce((sum, { inFlight }) => sum + inFlight, 0);
    return { total, servers, droppedLogLines: this.#log.dropped };
  }
}

function followJson(response: ServerResponse, source: { follow(stream: ServerResponse): void }): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  source.follow(response);
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > MAX_BODY) throw new RouteTableError('The request is too large.');
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch {
    throw new RouteTableError('The request is no JSON.');
  }
}

const MAX_BODY = 64 * 1024 * 1024;
const MAX_DRAIN = 24 * 60 * 60 * 1000;
