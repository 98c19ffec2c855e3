import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { EngineError } from '../engine-error.ts';
import type { PortRequest, PublishedPort } from './traffic.ts';

/**
 * The host's ports that lead to containers. A socket holds each: a port that a program of the host has is noticed, and none
 * takes ours meanwhile. Nothing arrives at these sockets, as the firewall has sent it on to the container before.
 */
export class HostPorts {
  readonly #held = new Map<string, (() => void)[]>();

  /** Takes ports for a container: all of them or none. Throws `conflict`, and `invalid` for an address that is not the host's. */
  async take(owner: string, requests: PortRequest[]): Promise<PublishedPort[]> {
    const taken: PublishedPort[] = [];
    try {
      for (const request of requests) taken.push(await this.#takeOne(owner, request));
      return taken;
    } catch (error) {
      this.free(owner);
      throw error;
    }
  }

  /** Holds the ports of a container that has them already; they stay its own even if another program was quicker. */
  async resume(owner: string, ports: PublishedPort[]): Promise<void> {
    for (const port of ports) {
      await this.#hold(owner, port).catch((error: Error) =>
        console.error(`A port of container ${owner.slice(0, 12)} has another holder: ${error.message}`),
      );
    }
  }

  /** Gives a container's ports back. */
  free(owner: string): void {
    for (const close of this.#held.get(owner) ?? []) close();
    this.#held.delete(owner);
  }

  async #takeOne(owner: string, request: PortRequest): Promise<PublishedPort> {
    const { protocol, port, hostAddress } = request;
    const [from, to] = request.hostPorts;
    for (let hostPort = from; hostPort <= to; hostPort++) {
      try {
        const wanted = { protocol, port, hostAddress, hostPort };
        return { ...wanted, hostPort: await this.#hold(owner, wanted) };
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EADDRINUSE') continue;
        throw new EngineError('invalid', `Bind for ${hostAddress}:${hostPort} failed: ${code}`, {
          cause: error,
        });
      }
    }
    const ports = from === to ? `${from}` : `${from}-${to}`;
    throw new EngineError('conflict', `Bind for ${hostAddress}:${ports} failed: port is already allocated`);
  }

  /** Returns the port that it got. */
  async #hold(owner: string, { protocol, hostAddress, hostPort }: PublishedPort): Promise<number> {
    const { port, close } = await (protocol === 'tcp' ? holdTcp : holdUdp)(hostAddress, hostPort);
    this.#held.set(owner, [...(this.#held.get(owner) ?? []), close]);
    return port;
  }
}

interface Held {
  port: number;
  close: () => void;
}

function holdTcp(host: string, port: number): Promise<Held> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      const { port } = server.address() as { port: number };
      resolve({ port, close: () => server.close() });
    });
  });
}

function holdUdp(address: string, port: number): Promise<Held> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port, exclusive: true }, () => {
      socket.on('error', () => {});
      resolve({ port: socket.address().port, close: () => socket.close() });
    });
  });
}
