import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { BufferPool } from './buffer-pool.ts';
import type { Entrance } from './client.ts';
import { ClientConnection } from './client-connection.ts';
import { ClientCounts } from './client-counts.ts';
import { Clock } from './clock.ts';
import type { Connection } from './connection.ts';
import { ConnectionList, type Place } from './connection-list.ts';
import { HandleWire } from './handle-wire.ts';
import type { Limits } from './limits.ts';
import { listen, takeConnections } from './listener.ts';
import { PortListeners } from './port-listeners.ts';
import { noSockets, type PortSockets } from './port-sockets.ts';
import { RequestHeadReader } from './request-head.ts';
import { RequestIds } from './request-ids.ts';
import { ResponseHeadReader } from './response-head.ts';
import type { RouteMap } from './route-map.ts';
import type { RouterContext } from './router-context.ts';
import type { RouterLog } from './router-log.ts';
import { SecureContexts } from './secure-contexts.ts';
import { peerAddress, type StreamHandle } from './stream-handle.ts';
import { TicketKeys } from './ticket-keys.ts';
import { TlsConnection } from './tls-connection.ts';
import { Traffic } from './traffic.ts';
import type { WireUser } from './wire.ts';

/** Takes the clients' connections in, and keeps the time for all of them. */
export class ProxyServer {
  readonly #router: RouterContext;
  readonly #servers: Server[] = [];
  readonly #connections = new ConnectionList();
  readonly #clients: ClientCounts;
  readonly #portSockets: PortSockets;
  #ownPorts: PortListeners | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    routes: RouteMap;
    log: RouterLog;
    limits: Limits;
    traffic?: Traffic;
    ticketKeys?: TicketKeys;
    portSockets?: PortSockets;
  }) {
    const { ticketKeys = new TicketKeys(), traffic = new Traffic(), portSockets, ...parts } = options;
    this.#portSockets = portSockets ?? noSockets;
    this.#router = {
      ...parts,
      traffic,
      contexts: new SecureContexts(ticketKeys),
      httpsPort: undefined,
      stopping: false,
      clock: new Clock(),
      buffers: new BufferPool(),
      ids: new RequestIds(),
      requestHeads: new RequestHeadReader(),
      responseHeads: new ResponseHeadReader(),
    };
    this.#clients = new ClientCounts(options.limits.connectionsPerClient);
  }

  /** Of clients, at the moment. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Port 0: a free one. Returns what it listens on. To be called once for each scheme. */
  async listen(
    address: { host: string; port: number } | { fd: number },
    scheme: Entrance['scheme'] = 'http',
  ): Promise<{ host: string; port: number }> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      listen(server, address, resolve);
    });
    // Such as running out of descriptors: nothing that the next connection could not do without.
    server.on('error', (error) => console.error(`router: cannot accept a connection: ${error.message}`));
    const { address: host, port } = server.address() as AddressInfo;
    takeConnections(server, (connection) => this.#accept(connection, { scheme, port, isOwn: false }));
    this.#servers.push(server);
    this.#timer ??= setInterval(() => this.#sweep(), this.#router.limits.sweep);
    if (scheme === 'https') this.#router.httpsPort = port;
    else this.#listenForApps(host);
    return { host, port };
  }

  /** Accepts no more, lets requests in progress end (tunnels do not by themselves), closes. */
  async stop(): Promise<void> {
    this.#router.stopping = true;
    for (const server of this.#servers) server.close();
    this.#ownPorts?.leave();
    for (const connection of this.#connections.all()) connection.leave();
    const deadline = performance.now() + this.#router.limits.shutdown;
    // Closed now, one whose next request is on its way would seem to have lost it.
    const farewell = performance.now() + this.#router.limits.farewell;
    while (this.#isBusy() && performance.now() < farewell) await delay(20);
    for (const connection of this.#connections.all()) if (connection.isIdle) connection.finish();
    while (this.#isBusy() && performance.now() < deadline) await delay(20);
    clearInterval(this.#timer);
    for (const connection of this.#connections.all()) connection.destroy();
    this.#router.routes.upstreams.closeIdle();
  }

  /** At the ports of the apps' own, as the routes say. */
  #listenForApps(host: string): void {
    const { routes } = this.#router;
    const accept = (connection: StreamHandle, port: number) =>
      this.#accept(connection, { scheme: 'http', port, isOwn: true });
    const listeners = new PortListeners({ host, accept, sockets: this.#portSockets });
    this.#ownPorts = listeners;
    const follow = () => {
      if (!this.#router.stopping) listeners.set(routes.ports.keys());
    };
    routes.follow(follow);
    follow();
  }

  #isBusy(): boolean {
    return this.#connections.all().some((connection) => !connection.isTunnel);
  }

  #accept(handle: StreamHandle, entrance: Entrance): void {
    if (this.#connections.size >= this.#router.limits.connections && !this.#makeRoom()) {
      handle.close();
      return;
    }
    const connection: Connection = this.#open(handle, entrance, () => this.#forget(place));
    const place = this.#connections.add(connection);
    if (!this.#clients.add(connection.peer)) connection.destroy();
  }

  #open(handle: StreamHandle, entrance: Entrance, onClose: () => void): Connection {
    const router = this.#router;
    const options = { router, entrance, peer: peerAddress(handle), onClose };
    if (entrance.scheme === 'https') return new TlsConnection(handle, options);
    const open = (user: WireUser) => HandleWire.accept(handle, { user, pool: router.buffers });
    return new ClientConnection({ ...options, open });
  }

  #forget(place: Place): void {
    if (this.#connections.remove(place)) this.#clients.remove(place.connection!.peer);
  }

  /** Closes the oldest connection that has no request in progress. */
  #makeRoom(): boolean {
    const place = this.#connections.oldestIdle();
    if (!place) return false;
    place.connection!.destroy();
    this.#forget(place);
    return true;
  }

  #sweep(): void {
    const { clock, routes } = this.#router;
    clock.tick();
    for (const connection of this.#connections.all()) connection.tick(clock.now);
    routes.upstreams.sweep(clock.now);
    this.#ownPorts?.retry(clock.now);
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
