import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { closeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { boundSocket } from '../../syscall/sockets.ts';
import { SystemCallError } from '../../syscall/system-call.ts';
import { type DnsQuery, fitToUdp, MAX_QUERY, parseQuery, RCODE } from './dns-message.ts';
import type { Transport } from './forwarder.ts';
import { refusal } from './local-answer.ts';
import { prefixed, readMessages } from './tcp-messages.ts';

/** Of queries that are being answered, and of connections. What is beyond is not answered: who asked tries again. */
const MAX_PENDING = { perAsker: 64, inAll: 1024 };
const MAX_CONNECTIONS = { perAsker: 8, inAll: 256 };
const IDLE_MILLISECONDS = 10_000;

/** Answers a query of a container; undefined: there is no answer. */
export type Resolve = (query: DnsQuery, asker: string, transport: Transport) => Promise<Buffer | undefined>;

/**
 * The containers' name server, on UDP and TCP. The sockets are there from the beginning, so that what is asked before `listen`
 * waits in them.
 */
export class NameServer {
  readonly port: number;
  readonly #descriptors: { udp: number; tcp: number };
  readonly #resolve: Resolve;
  readonly #pending = new Tally(MAX_PENDING);
  readonly #connections = new Tally(MAX_CONNECTIONS);
  /** Questions that are being answered: an impatient asker's second try is not a second question. */
  readonly #asked = new Set<string>();
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;
  #closed = false;

  /** Takes the first of the ports that is free at the address, which need not be there yet. Throws if none is. */
  constructor(options: { address: string; ports: number[]; resolve: Resolve }) {
    const { port, ...descriptors } = bindFirst(options.address, options.ports);
    this.port = port;
    this.#descriptors = descriptors;
    this.#resolve = options.resolve;
  }

  /** Begins to answer. */
  listen(): void {
    if (this.#udp || this.#closed) return;
    const udp = createSocket('udp4');
    udp.on('error', (error) => console.error('The containers’ name server:', error));
    udp.on('message', (message, from) => void this.#onDatagram(udp, message, from));
    udp.bind({ fd: this.#descriptors.udp });
    const tcp = createServer((socket) => this.#onConnection(socket));
    tcp.on('error', (error) => console.error('The containers’ name server (TCP):', error));
    tcp.listen({ fd: this.#descriptors.tcp });
    [this.#udp, this.#tcp] = [udp, tcp];
  }

  close(): void {
    if (this.#closed) return;
    if (!this.#udp) {
      this.#closed = true;
      for (const descriptor of Object.values(this.#descriptors)) closeSync(descriptor);
      return;
    }
    this.#udp.close();
    this.#tcp?.close();
    // What is still being asked elsewhere has nobody to answer to.
    [this.#udp, this.#tcp] = [undefined, undefined];
    this.#closed = true;
  }

  async #onDatagram(socket: UdpSocket, message: Buffer, from: RemoteInfo): Promise<void> {
    const query = parseQuery(message);
    if (!query) return;
    const question = `${from.address} ${from.port} ${query.id} ${query.type} ${query.name}`;
    if (this.#asked.has(question)) return;
    this.#asked.add(question);
    const answer = await this.#answer(query, from.address, 'udp');
    this.#asked.delete(question);
    if (answer && this.#udp) socket.send(fitToUdp(query, answer), from.port, from.address, () => {});
  }

  #onConnection(socket: Socket): void {
    const asker = socket.remoteAddress ?? '';
    if (!this.#connections.enter(asker)) return void socket.destroy();
    socket.once('close', () => this.#connections.leave(asker));
    socket.on('error', () => {});
    socket.setTimeout(IDLE_MILLISECONDS, () => socket.destroy());
    readMessages(socket, MAX_QUERY, (message) => void this.#onMessage(socket, message, asker));
  }

  async #onMessage(socket: Socket, message: Buffer, asker: string): Promise<void> {
    const query = parseQuery(message);
    const answer = query && (await this.#answer(query, asker, 'tcp'));
    if (answer) socket.write(prefixed(answer));
    else socket.destroy();
  }

  async #answer(query: DnsQuery, asker: string, transport: Transport): Promise<Buffer | undefined> {
    if (!this.#pending.enter(asker)) return undefined;
    try {
      return await this.#resolve(query, asker, transport);
    } catch (error) {
      console.error(`The containers’ name server, asked for "${query.name}":`, error);
      return refusal(query, RCODE.SERVER_FAILURE);
    } finally {
      this.#pending.leave(asker);
    }
  }
}

/** Counts what is under way, by whom, and lets no more in than the limits say. */
class Tally {
  readonly #limits: { perAsker: number; inAll: number };
  readonly #counts = new Map<string, number>();
  #all = 0;

  constructor(limits: { perAsker: number; inAll: number }) {
    this.#limits = limits;
  }

  enter(asker: string): boolean {
    const count = this.#counts.get(asker) ?? 0;
    if (count >= this.#limits.perAsker || this.#all >= this.#limits.inAll) return false;
    this.#counts.set(asker, count + 1);
    this.#all++;
    return true;
  }

  leave(asker: string): void {
    const count = this.#counts.get(asker)! - 1;
    if (count > 0) this.#counts.set(asker, count);
    else this.#counts.delete(asker);
    this.#all--;
  }
}

function bindFirst(address: string, ports: number[]): { port: number; udp: number; tcp: number } {
  for (const port of ports) {
    const udp = bindIfFree('datagram', address, port);
    if (udp === undefined) continue;
    const tcp = bindIfFree('stream', address, port);
    if (tcp !== undefined) return { port, udp, tcp };
    closeSync(udp);
  }
  throw new Error(
    `No port from ${ports[0]} to ${ports.at(-1)} is free at ${address} for the containers’ name server.`,
  );
}

function bindIfFree(type: 'datagram' | 'stream', address: string, port: number): number | undefined {
  try {
    return boundSocket({ type, address, port });
  } catch (error) {
    if (error instanceof SystemCallError && error.code === 'EADDRINUSE') return undefined;
    throw error;
  }
}
