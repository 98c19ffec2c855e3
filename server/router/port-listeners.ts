import { createServer, type Server } from 'node:net';
import { takeConnections } from './listener.ts';
import type { StreamHandle } from './stream-handle.ts';

export interface PortListenersOptions {
  /** Where the router itself listens. */
  host: string;
  backlog: number;
  accept: (connection: StreamHandle, port: number) => void;
}

/**
 * Listens on the ports that apps have beside the router's own. The router that comes next may listen there while this one still
 * does (SO_REUSEPORT, socket(7)): the kernel gives each connection to one of them.
 */
export class PortListeners {
  readonly #options: PortListenersOptions;
  #retryAt = 0;
  /** undefined: the port cannot be had at the moment. */
  readonly #servers = new Map<number, Server | undefined>();

  constructor(options: PortListenersOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#servers.size === 0;
  }

  /** Begins and ends to listen as these say; connections that stand go on. */
  set(ports: Iterable<number>): void {
    const wanted = new Set(ports);
    for (const [port, server] of this.#servers) {
      if (wanted.has(port)) continue;
      this.#servers.delete(port);
      server?.close();
    }
    for (const port of wanted) if (!this.#servers.has(port)) this.#open(port);
  }

  /** Tries those once more that somebody else had. `now`: of performance.now(). */
  retry(now: number): void {
    if (now < this.#retryAt) return;
    this.#retryAt = now + RETRY_MS;
    for (const [port, server] of this.#servers) if (!server) this.#open(port);
  }

  close(): void {
    this.set([]);
  }

  #open(port: number): void {
    const { host, backlog, accept } = this.#options;
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
    server.listen({ host, port, backlog, reusePort: true }, () => {
      takeConnections(server, (connection) => accept(connection, port));
    });
  }
}

const RETRY_MS = 1000;
