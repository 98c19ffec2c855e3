import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { BufferPool } from './buffer-pool.ts';
import { ClientConnection } from './client-connection.ts';
import { ClientCounts } from './client-counts.ts';
import { Clock } from './clock.ts';
import type { Limits } from './limits.ts';
import { takeConnections } from './listener.ts';
import { RequestHeadReader } from './request-head.ts';
import { RequestIds } from './request-ids.ts';
import { ResponseHeadReader } from './response-head.ts';
import type { RouteMap } from './route-map.ts';
import type { RouterContext } from './router-context.ts';
import type { RouterLog } from './router-log.ts';
import type { StreamHandle } from './stream-handle.ts';

/** Takes the clients' connections in, and keeps the time for all of them. */
export class ProxyServer {
  readonly #router: RouterContext;
  readonly #server: Server;
  readonly #connections = new Set<ClientConnection>();
  readonly #clients: ClientCounts;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { routes: RouteMap; log: RouterLog; limits: Limits }) {
    this.#router = {
      ...options,
      scheme: 'http',
      port: 0,
      stopping: false,
      clock: new Clock(),
      buffers: new BufferPool(),
      ids: new RequestIds(),
      requestHeads: new RequestHeadReader(),
      responseHeads: new ResponseHeadReader(),
    };
    this.#clients = new ClientCounts(options.limits.connectionsPerClient);
    this.#server = createServer();
  }

  /** Of clients, at the moment. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Port 0: a free one. Returns what it listens on. */
  async listen(
    address: { host: string; port: number } | { fd: number },
  ): Promise<{ host: string; port: number }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ ...address, backlog: BACKLOG }, resolve);
    });
    // Such as running out of descriptors: nothing that the next connection could not do without.
    this.#server.on('error', (error) =>
      console.error(`router: cannot accept a connection: ${error.message}`),
    );
    takeConnections(this.#server, (connection) => this.#accept(connection));
    this.#timer = setInterval(() => this.#sweep(), this.#router.limits.sweep);
    const { address: host, port } = this.#server.address() as AddressInfo;
    this.#router.port = port;
    return { host, port };
  }

  /** Accepts no more, lets requests in progress end (tunnels do not by themselves), closes. */
  async stop(): Promise<void> {
    this.#router.stopping = true;
    this.#server.close();
    const deadline = performance.now() + this.#router.limits.shutdown;
    // Closed now, one whose next request is on its way would seem to have lost it.
    const farewell = performance.now() + this.#router.limits.farewell;
    while (this.#isBusy() && performance.now() < farewell) await delay(20);
    for (const connection of this.#connections) if (connection.isIdle) connection.finish();
    while (this.#isBusy() && performance.now() < deadline) await delay(20);
    clearInterval(this.#timer);
    for (const connection of this.#connections) connection.destroy();
    this.#router.routes.closeIdle();
  }

  #isBusy(): boolean {
    return [...this.#connections].some((connection) => !connection.isTunnel);
  }

  #accept(handle: StreamHandle): void {
    if (this.#connections.size >= this.#router.limits.connections && !this.#makeRoom()) {
      handle.close();
      return;
    }
    const connection: ClientConnection = new ClientConnection(handle, {
      router: this.#router,
      onClose: () => this.#forget(connection),
    });
    this.#connections.add(connection);
    if (!this.#clients.add(connection.peer)) connection.destroy();
  }

  #forget(connection: ClientConnection): void {
    this.#connections.delete(connection);
    this.#clients.remove(connection.peer);
  }

  /** Closes the oldest connection that has no request in progress. */
  #makeRoom(): boolean {
    for (const connection of this.#connections) {
      if (!connection.isIdle) continue;
      connection.destroy();
      this.#connections.delete(connection);
      return true;
    }
    return false;
  }

  #sweep(): void {
    const { clock, routes } = this.#router;
    clock.tick();
    for (const connection of this.#connections) connection.tick(clock.now);
    routes.sweep(clock.now);
  }
}

/** As many connections as the limit on open files allows, two descriptors each. */
export function maxConnections(wanted: number): number {
  const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return match ? Math.min(wanted, Math.max(16, Math.floor((Number(match[1]) - 64) / 2))) : wanted;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const BACKLOG = 4096;
