import { closeSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { listen, takeConnections } from './listener.ts';
import type { PortSockets } from './port-sockets.ts';
import type { StreamHandle } from './stream-handle.ts';

export interface PortListenersOptions {
  /** Where the router itself listens. */
  host: string;
  accept: (connection: StreamHandle, port: number) => void;
  sockets: PortSockets;
}

/**
 * Listens on the ports that apps have beside the router's own. Main keeps the sockets for the router that comes next; each of several
 * routers has its own (SO_REUSEPORT, socket(7)): the kernel gives each connection to one of them.
 */
export class PortListeners {
  readonly #options: PortListenersOptions;
  #retryAt = 0;
  /** undefined: the port cannot be had at the moment. */
  readonly #servers = new Map<number, Server | undefined>();

  constructor(options: PortListenersOptions) {
    this.#options = options;
  }

  /** Begins and ends to listen as these say; connections that stand go on. */
  set(ports: Iterable<number>): void {
    const wanted = new Set(ports);
    const { sockets } = this.#options;
    for (const port of [...this.#servers.keys(), ...sockets.inherited]) {
      if (!wanted.has(port)) this.#close(port);
    }
    for (const port of wanted) if (!this.#servers.has(port)) this.#open(port);
  }

  /** Tries those once more that somebody else had. `now`: of performance.now(). */
  retry(now: number): void {
    if (now < this.#retryAt) return;
    this.#retryAt = now + RETRY_MS;
    for (const [port, server] of this.#servers) if (!server) this.#open(port);
  }

  /** Accepts no more; whoever connects from now on is the next router's. */
  leave(): void {
    for (const server of this.#servers.values()) server?.close();
    this.#servers.clear();
  }

  #close(port: number): void {
    const { sockets } = this.#options;
    this.#servers.get(port)?.close();
    this.#servers.delete(port);
    const fd = sockets.take(port);
    if (fd !== undefined) closeSync(fd);
    sockets.drop(port);
  }

  #open(port: number): void {
    const { host, accept, sockets } = this.#options;
    const fd = sockets.take(port);
    const isNew = !this.#servers.has(port);
    const server = createServer();
    this.#servers.set(port, server);
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (server.listening) {
        console.error(`router: cannot accept a connection at port ${port}: ${error.message}`);
        return;
      }
      if (isNew) console.error(`router: cannot listen on port ${port} yet: ${error.message}`);
      if (this.#servers.get(port) === server) this.#servers.set(port, undefined);
    });
    listen(server, fd === undefined ? { host, port, reusePort: true } : { fd }, () => {
      takeConnections(server, (connection) => accept(connection, port));
      if (fd === undefined) sockets.keep(port, server);
    });
  }
}

const RETRY_MS = 1000;
