import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import {
  encodeAnswer,
  parseQuery,
  RCODE,
  TYPE,
  withId,
} from '../../../../runtime/network/dns/dns-message.ts';
import { forward } from '../../../../runtime/network/dns/forwarder.ts';
import { NameServer } from '../../../../runtime/network/dns/name-server.ts';
import { resolver } from '../../../../runtime/network/dns/resolver.ts';
import { prefixed, readMessages } from '../../../../runtime/network/dns/tcp-messages.ts';
import { NameDirectory } from '../../../../runtime/network/name-directory.ts';
import { Subnet } from '../../../../runtime/network/subnet.ts';
import type { Traffic } from '../../../../runtime/network/traffic.ts';
import { dnsQuery } from './dns-query.ts';

const LOCALHOST = '127.0.0.1';
const NETWORK = 'a'.repeat(64);
const TRAFFIC: Traffic = {
  networks: [{ network: NETWORK, names: ['asker'], links: { db: 'postgres' } }],
  egress: true,
  ports: [],
  dns: { servers: [], search: [], options: [] },
};

/** A name server of the host's: `answer` is called with each query and sends what it likes. */
class Upstream {
  readonly udp: Socket = createSocket('udp4');
  tcp: Server | undefined;
  port = 0;
  queries = 0;

  async open(answer: (query: Buffer, send: (answer: Buffer) => void) => void): Promise<void> {
    this.udp.on('message', (message, from) => {
      this.queries++;
      answer(message, (reply) => this.udp.send(reply, from.port, from.address));
    });
    this.tcp = createServer((socket) => {
      readMessages(socket, 0xffff, (message) => answer(message, (reply) => socket.write(prefixed(reply))));
    });
    // This order: of the port numbers, connections take many more by TCP.
    await new Promise<void>((resolve) => this.tcp!.listen(0, LOCALHOST, resolve));
    this.port = (this.tcp.address() as AddressInfo).port;
    await new Promise<void>((resolve) => this.udp.bind(this.port, LOCALHOST, resolve));
  }

  close(): void {
    this.udp.close();
    this.tcp?.close();
  }
}

/** A records for the question in `bytes`. */
function addresses(bytes: Buffer, list: string[]): Buffer {
  const records = list.map((address) => ({ type: TYPE.A, address }));
  return encodeAnswer(parseQuery(bytes)!, { code: RCODE.OK, records, ttl: 60 });
}

describe('forward()', () => {
  const query = parseQuery(dnsQuery('example.org', { id: 99 }))!;
  let upstream: Upstream;
  beforeEach(() => {
    upstream = new Upstream();
  });
  afterEach(() => upstream.close());
  const ask = (transport: 'udp' | 'tcp', servers = [LOCALHOST]) =>
    forward(query, { servers, transport, port: upstream.port });

  for (const transport of ['udp', 'tcp'] as const) {
    it(`passes on the answer by ${transport}, with the asker's id and a random one upstream`, async () => {
      const ids = new Set<number>();
      await upstream.open((bytes, send) => {
        ids.add(bytes.readUInt16BE(0));
        send(addresses(bytes, ['192.0.2.7']));
      });
      for (let round = 0; round < 4; round++) {
        const answer = await ask(transport);
        assert.equal(answer?.readUInt16BE(0), 99);
        assert.ok(answer.includes(Buffer.from([192, 0, 2, 7])));
      }
      assert.ok(ids.size > 1);
    });
  }

  it('takes no answer to another question, with another id, or from another server', async () => {
    const stranger = createSocket('udp4');
    await upstream.open((bytes, send) => {
      send(withId(addresses(bytes, ['203.0.113.1']), (bytes.readUInt16BE(0) + 1) & 0xffff));
      send(withId(addresses(dnsQuery('example.com'), ['203.0.113.2']), bytes.readUInt16BE(0)));
      setTimeout(() => send(addresses(bytes, ['192.0.2.7'])), 200);
    });
    upstream.udp.on('message', (bytes, from) => {
      stranger.send(addresses(bytes, ['203.0.113.3']), from.port, from.address);
    });
    const answer = await ask('udp');
    stranger.close();
    assert.ok(answer?.includes(Buffer.from([192, 0, 2, 7])));
  });

  it('asks the next server when one is not there or does not know', async () => {
    await upstream.open((bytes, send) => send(addresses(bytes, ['192.0.2.7'])));
    const answer = await ask('udp', ['127.0.0.99', LOCALHOST]);
    assert.ok(answer?.includes(Buffer.from([192, 0, 2, 7])));
  });

  it('passes on a failure when that is all that there is', async () => {
    await upstream.open((bytes, send) => {
      send(encodeAnswer(parseQuery(bytes)!, { code: RCODE.SERVER_FAILURE, records: [], ttl: 0 }));
    });
    assert.equal((await ask('udp'))!.readUInt16BE(2) & 0xf, RCODE.SERVER_FAILURE);
    assert.equal(
      await forward(query, { servers: ['127.0.0.99'], transport: 'tcp', port: upstream.port }),
      undefined,
    );
  });
});

describe('NameServer', () => {
  let upstream: Upstream;
  let server: NameServer;
  let client: Resolver;
  let names: NameDirectory;
  let traffic: Traffic;

  beforeEach(async () => {
    upstream = new Upstream();
    names = new NameDirectory();
    names.set(LOCALHOST, TRAFFIC.networks);
    names.set('172.30.0.5', [{ network: NETWORK, names: ['web', 'www', 'postgres'], links: {} }]);
    names.set('172.30.0.6', [{ network: NETWORK, names: ['web2', 'www'], links: {} }]);
    names.set('172.30.0.7', [{ network: 'b'.repeat(64), names: ['secret'], links: {} }]);
    traffic = TRAFFIC;
    await upstream.open((bytes, send) => {
      const big = parseQuery(bytes)!.name.startsWith('big');
      send(addresses(bytes, big ? Array.from({ length: 100 }, (_, i) => `192.0.2.${i}`) : ['192.0.2.7']));
    });
    const options = { names, subnet: new Subnet('172.30.0.0/16'), hostServers: () => [LOCALHOST] };
    const resolve = resolver({
      ...options,
      trafficOf: (address) => (address === LOCALHOST ? traffic : undefined),
      port: upstream.port,
    });
    server = new NameServer({
      address: LOCALHOST,
      ports: Array.from({ length: 20 }, (_, step) => 21_000 + ((process.pid + step) % 9000)),
      resolve,
    });
    server.listen();
    client = new Resolver({ timeout: 3000, tries: 1 });
    client.setServers([`${LOCALHOST}:${server.port}`]);
  });
  afterEach(() => {
    server.close();
    upstream.close();
  });

  it('knows the names in the asker’s networks, and its own links', async () => {
    assert.deepEqual(await client.resolve4('WEB'), ['172.30.0.5']);
    assert.deepEqual(await client.resolve4('db'), ['172.30.0.5']);
    assert.deepEqual((await client.resolve4('www')).sort(), ['172.30.0.5', '172.30.0.6']);
    assert.equal(upstream.queries, 0);
  });

  it('takes turns among several of a name', async () => {
    const first = new Set<string>();
    for (let round = 0; round < 40; round++) first.add((await client.resolve4('www'))[0]!);
    assert.equal(first.size, 2);
  });

  it('knows no name of a network that the asker is not in: that is asked elsewhere', async () => {
    assert.deepEqual(await client.resolve4('secret'), ['192.0.2.7']);
    assert.equal(upstream.queries, 1);
  });

  it('has no IPv6 address for a name of ours, without asking elsewhere', async () => {
    await assert.rejects(client.resolve6('web'), { code: 'ENODATA' });
    assert.equal(upstream.queries, 0);
  });

  it('finds names by address among ours, and never tells the world of the others', async () => {
    assert.deepEqual(await client.reverse('172.30.0.6'), ['web2']);
    await assert.rejects(client.reverse('172.30.0.7'), { code: 'ENOTFOUND' });
    assert.equal(upstream.queries, 0);
  });

  it('asks nobody for a container that does not reach the world', async () => {
    traffic = { ...TRAFFIC, egress: false };
    await assert.rejects(client.resolve4('example.org'), { code: 'EREFUSED' });
    assert.deepEqual(await client.resolve4('web'), ['172.30.0.5']);
    assert.equal(upstream.queries, 0);
  });

  it('answers by TCP what is too large for UDP', async () => {
    assert.equal((await client.resolve4('big.example.org')).length, 100);
  });

  it('answers nobody who is no container', async () => {
    const other = await answersTo(dnsQuery('web'), { from: '127.0.0.2', port: server.port });
    const own = await answersTo(dnsQuery('web'), { from: LOCALHOST, port: server.port });
    assert.deepEqual([other, own], [0, 1]);
  });

  it('asks once for what an impatient asker says three times', async () => {
    upstream.udp.removeAllListeners('message');
    upstream.udp.on('message', (bytes, from) => {
      upstream.queries++;
      setTimeout(() => upstream.udp.send(addresses(bytes, ['192.0.2.7']), from.port, from.address), 300);
    });
    const question = dnsQuery('slow.example.org');
    assert.equal(await answersTo(question, { from: LOCALHOST, port: server.port, times: 3 }), 1);
    assert.equal(upstream.queries, 1);
  });

  it('keeps no more than so many questions of one asker, and goes on afterwards', async () => {
    upstream.udp.removeAllListeners('message');
    upstream.udp.on('message', () => upstream.queries++);
    const socket = createSocket('udp4');
    for (let id = 0; id < 300; id++)
      socket.send(dnsQuery('hang.example.org', { id }), server.port, LOCALHOST);
    await sleep(500);
    socket.close();
    assert.ok(upstream.queries > 0 && upstream.queries <= 64, `${upstream.queries} asked`);
  });

  it('ends a connection that says more than a question, or has too many brothers', async () => {
    const large = connect(server.port, LOCALHOST);
    large.write(Buffer.from([0xff, 0xff]));
    await new Promise((resolve) => large.once('close', resolve));
    const many = Array.from({ length: 12 }, () => connect(server.port, LOCALHOST));
    const closed = many.map((socket) => new Promise((resolve) => socket.once('close', () => resolve(true))));
    await Promise.all(closed.slice(0, 4).map(() => Promise.race(closed)));
    await sleep(300);
    const open = many.filter((socket) => !socket.destroyed);
    for (const socket of open) socket.destroy();
    assert.equal(open.length, 8);
  });
});

/** How many answers come. */
async function answersTo(
  question: Buffer,
  { from, port, times = 1 }: { from: string; port: number; times?: number },
): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, from, resolve));
  let answers = 0;
  socket.on('message', () => answers++);
  for (let time = 0; time < times; time++) socket.send(question, port, LOCALHOST);
  await sleep(800);
  socket.close();
  return answers;
}
