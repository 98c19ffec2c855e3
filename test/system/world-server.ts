import { execFileSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';
import { encodeAnswer, parseQuery, RCODE, TYPE } from '../../runtime/network/dns/dns-message.ts';
import { prefixed, readMessages } from '../../runtime/network/dns/tcp-messages.ts';

/** A name server of the world's, on an address of the host's own. */
export class WorldServer {
  readonly address = `198.18.${process.pid % 250}.53`;
  readonly #udp: Socket = createSocket('udp4');
  readonly #tcp: Server;

  constructor() {
    this.#udp.on('message', (bytes, from) => this.#udp.send(this.#answer(bytes), from.port, from.address));
    this.#tcp = createServer((socket) =>
      readMessages(socket, 0xffff, (bytes) => socket.write(prefixed(this.#answer(bytes)))),
    );
  }

  async open(): Promise<void> {
    execFileSync('ip', ['address', 'add', `${this.address}/32`, 'dev', 'lo']);
    await new Promise<void>((resolve) => this.#udp.bind(53, this.address, resolve));
    await new Promise<void>((resolve) => this.#tcp.listen(53, this.address, resolve));
  }

  close(): void {
    this.#udp.close();
    this.#tcp.close();
    execFileSync('ip', ['address', 'delete', `${this.address}/32`, 'dev', 'lo']);
  }

  #answer(bytes: Buffer): Buffer {
    const query = parseQuery(bytes)!;
    const known = query.name === 'world.example' || query.name === 'short.search.example';
    const records = known && query.type === TYPE.A ? [{ type: TYPE.A, address: '192.0.2.77' }] : [];
    return encodeAnswer(query, { code: known ? RCODE.OK : RCODE.NO_SUCH_NAME, records, ttl: 1 });
  }
}
