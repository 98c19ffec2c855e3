/**
 * Sockets at the ports that apps have of their own, kept for when their router dies: whoever connects waits in their queue until the next
 * one is there. The router opens them, as the routes say; it has no right that main would have to lend it.
 *
 *   router ── {"port":8080,"listens":true} with the socket ──► main
 *          ── {"port":8080,"listens":false} ──► main              it has closed it
 *   main ── PAAS_PORT_FDS="8080=5,8081=6" and the descriptors ──► the next router
 */
export class KeptPorts {
  readonly #sockets = new Map<number, SocketHandle>();

  /** A message of the router; what is none is dropped. */
  note(message: unknown, socket: unknown): void {
    const { port, listens } = (message ?? {}) as { port?: unknown; listens?: unknown };
    if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return;
    this.#sockets.get(port)?.close();
    this.#sockets.delete(port);
    if (listens === true && isSocket(socket)) this.#sockets.set(port, socket);
  }

  /** To be passed to the next router. */
  get descriptors(): number[] {
    return [...this.#sockets.values()].map(({ fd }) => fd);
  }

  /** As the value of PAAS_PORT_FDS, for a process that gets the first of them as this descriptor. */
  inOrder(first: number): string {
    return [...this.#sockets.keys()].map((port, index) => `${port}=${first + index}`).join(',');
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }
}

/** What Node makes of a descriptor that came as a message: nothing reads from it or accepts. */
interface SocketHandle {
  readonly fd: number;
  close(): void;
}

function isSocket(value: unknown): value is SocketHandle {
  return typeof (value as SocketHandle | undefined)?.fd === 'number';
}
