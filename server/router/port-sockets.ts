import type { Server } from 'node:net';

/** Of main, which keeps the sockets of a router's ports for the one that comes after it. */
export interface SocketKeeper {
  /** Whose handle the second one is may be closed afterwards. */
  send(message: { port: number; listens: boolean }, handle?: unknown): void;
}

/** Sockets at ports of the apps' own that outlast this process: those that it was given at its start, and those that it gives away. */
export class PortSockets {
  readonly #keeper: SocketKeeper;
  readonly #inherited: Map<number, number>;

  /** `descriptors`: of PAAS_PORT_FDS, as `8080=5,8081=6`. */
  constructor({ keeper, descriptors = '' }: { keeper: SocketKeeper; descriptors?: string | undefined }) {
    this.#keeper = keeper;
    const pairs = descriptors.split(',').filter(Boolean);
    this.#inherited = new Map(pairs.map((pair) => pair.split('=').map(Number) as [number, number]));
  }

  /** Ports at which a router before this one listened, and nobody here does yet. */
  get inherited(): number[] {
    return [...this.#inherited.keys()];
  }

  /** The descriptor of a socket that listens at this port already. */
  take(port: number): number | undefined {
    const fd = this.#inherited.get(port);
    this.#inherited.delete(port);
    return fd;
  }

  /** Has main keep the socket at which `server` listens. */
  keep(port: number, server: Server): void {
    this.#keeper.send({ port, listens: true }, (server as unknown as { _handle: unknown })._handle);
  }

  /** Nobody listens at this port any more. */
  drop(port: number): void {
    this.#keeper.send({ port, listens: false });
  }
}

/** For a router without main: its sockets go with it. */
export const noSockets = new PortSockets({ keeper: { send: () => {} } });

/** By the channel that main has given this process; there may be none. */
export function mainAsKeeper(): SocketKeeper {
  return {
    // Should main be gone, this process is about to follow.
    send: (message, handle) => process.send?.(message, handle as never, undefined, () => {}),
  };
}
