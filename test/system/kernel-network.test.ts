import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { instanceTag } from '../../runtime/containers/instance-tag.ts';
import type { LaunchSpec } from '../../runtime/containers/kernel.ts';
import { sampleSources } from '../../runtime/network/flows.ts';
import { ORDINARY_TRAFFIC } from '../../runtime/network/traffic.ts';
import { openFiles } from '../fixtures/open-files.ts';
import { interfaceNumber, KernelFixture, whyNot } from './kernel-fixture.ts';

const GREETER =
  'use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 80, Listen => 9, ReuseAddr => 1) or die $!; while ($c = $s->accept) { print $c "hello from " . $c->peerhost . "\\n"; close $c }';

/** Answers each line in two pieces, and leaves it to the kernel when the second is sent. */
const TWO_PIECES =
  'use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 80, Listen => 9, ReuseAddr => 1) or die $!; while ($c = $s->accept) { while (<$c>) { syswrite $c, "first "; syswrite $c, "second\\n" } close $c }';

/** Says from whom it gets datagrams. */
const RECEIVER =
  'use IO::Socket::INET; $| = 1; $s = IO::Socket::INET->new(Proto => "udp", LocalPort => 99) or die $!; while (defined $s->recv($m, 9)) { print $s->peerhost . "\\n" }';
/** Sends a datagram to port 99 of the second address, as if from the first: IPv4 header by hand, UDP without checksum. */
const SPOOFER =
  'use Socket; socket(S, AF_INET, SOCK_RAW, 255) or die $!; $p = pack("CCnnnCCna4a4nnnna2", 0x45, 0, 30, 1, 0, 64, 17, 0, inet_aton($ARGV[0]), inet_aton($ARGV[1]), 99, 99, 10, 0, "hi"); send(S, $p, 0, pack_sockaddr_in(0, inet_aton($ARGV[1]))) or die $!; print "sent\\n"';

/** Opens so many connections at once; tells after a moment how many stand. */
const OPENER =
  'use Socket; use Fcntl; $| = 1; my ($host, $port, $count) = @ARGV; for (1..$count) { socket(my $s, AF_INET, SOCK_STREAM, 0) or die $!; fcntl($s, F_SETFL, O_NONBLOCK); connect($s, pack_sockaddr_in($port, inet_aton($host))); push @s, $s } select(undef, undef, undef, 0.5); print scalar grep { getpeername($_) } @s';

/** What a container may open in a second; four times as many at once. */
const CONNECTIONS_PER_SECOND = 25;

const CONNECTIONS = '/proc/net/nf_conntrack';
const ROOM = '/proc/sys/net/netfilter/nf_conntrack_max';
const COUNT = '/proc/sys/net/netfilter/nf_conntrack_count';
const NEIGHBOURS_ROOM = '/proc/sys/net/ipv4/neigh/default/gc_thresh3';

/** Sends to 2000 addresses as if they were near (SO_BINDTODEVICE, MSG_DONTROUTE). */
const DIRECT_SENDER =
  'use Socket; for $host (1..200) { socket(S, AF_INET, SOCK_DGRAM, 0); setsockopt(S, SOL_SOCKET, 25, "eth0"); for (1..10) { send(S, "x", 4, pack_sockaddr_in(9, inet_aton("198.18.$host.$_"))) } push @kept, *S{IO} }';

const IFF_UP = 1;
const IFF_MULTICAST = 0x1000;

describe('LinuxKernel network', () => {
  const containers = new KernelFixture();
  let server: Server;
  let publicServer: Server;
  let port: number;

  before(async function () {
    if (whyNot()) this.skip();
    [server, publicServer] = await Promise.all([listen(), listen()]);
    port = portOf(server);
    containers.options.publicAddresses = [{ host: '0.0.0.0', port: portOf(publicServer) }];
    containers.options.connectionsPerSecond = CONNECTIONS_PER_SECOND;
    await containers.open();
  });
  after(async () => {
    if (whyNot()) return;
    server.close();
    publicServer.close();
    await containers.close();
  });

  const greeter = (): LaunchSpec => containers.spec(['perl', '-e', GREETER], { network: 'nat' });

  /** Tries to connect from a container and tells what came back. */
  async function fromContainer(host: string, port: number): Promise<string> {
    const script = `timeout 3 bash -c 'exec 3<>/dev/tcp/${host}/${port} && cat <&3' 2>/dev/null || echo unreachable`;
    return (await containers.run(script, { network: 'nat' })).output.trim();
  }

  it('lets the host reach a container, from one address', async () => {
    const spec = greeter();
    await containers.during(spec, async ({ address }) => {
      assert.equal(await fromHost(address!, 80), 'hello from 169.254.1.1\n');
    });
  });

  it('acknowledges at once: the second piece of an answer does not wait for it', async () => {
    const spec = containers.spec(['perl', '-e', TWO_PIECES], { network: 'nat' });
    await containers.during(spec, async ({ address }) => {
      const socket = await connected(address!, 80);
      const took: number[] = [];
      for (let count = 0; count < 20; count++) {
        const asked = performance.now();
        socket.write('?\n');
        for (let text = ''; !text.endsWith('second\n'); ) text += (await once(socket, 'data'))[0];
        took.push(performance.now() - asked);
      }
      socket.destroy();
      // The first few answers are acknowledged at once anyway; later ones after 40 ms at least.
      assert.ok(Math.min(...took.slice(10)) < 30, `milliseconds: ${took}`);
    });
  });

  it('gives `none` a loopback and nothing else', async () => {
    const { output } = await containers.run(
      'cat /proc/net/dev | tail -n +3 | cut -d: -f1; cat /proc/net/route | wc -l',
    );
    assert.equal(output.replaceAll(' ', ''), 'lo\n1\n');
  });

  it('keeps containers from each other', async () => {
    const spec = greeter();
    await containers.during(spec, async ({ address }) => {
      assert.equal(await fromContainer(address!, 80), 'unreachable');
      assert.match(await containers.withoutFirewall(() => fromContainer(address!, 80)), /hello/);
    });
  });

  it('keeps containers from services of the host', async () => {
    for (const host of ['169.254.1.1', ownAddress()]) {
      assert.equal(await fromContainer(host, port), 'unreachable');
      assert.match(await containers.withoutFirewall(() => fromContainer(host, port)), /hello from the host/);
    }
  });

  it('lets containers reach the platform’s own port, but not by a loopback address', async () => {
    assert.equal(await fromContainer(ownAddress(), portOf(publicServer)), 'hello from the host');
    assert.equal(await fromContainer('127.0.0.1', portOf(publicServer)), 'unreachable');
  });

  it('keeps containers from abstract sockets of the host', async () => {
    const name = `\0paas-test-${process.pid}`;
    const service = createServer((socket) => socket.end('hello'));
    await new Promise<void>((resolve) => service.listen(name, resolve));
    const script = `use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); print connect(S, pack_sockaddr_un("\\0paas-test-${process.pid}")) ? "connected" : "refused"`;
    try {
      assert.equal((await containers.run(['perl', '-e', script], { network: 'nat' })).output, 'refused');
    } finally {
      service.close();
    }
  });

  it('keeps containers from the cloud’s metadata service', async () => {
    assert.equal(await fromContainer('169.254.169.254', 80), 'unreachable');
  });

  it('lets a container open no more connections than its share of what the kernel has room for', async () => {
    const opened = async (count: number) => {
      const args = ['perl', '-e', OPENER, ownAddress(), String(portOf(publicServer)), String(count)];
      return Number((await containers.run(args, { network: 'nat' })).output);
    };
    const atOnce = 4 * CONNECTIONS_PER_SECOND;
    const [greedy, other] = await Promise.all([opened(4 * atOnce), opened(atOnce)]);
    assert.ok(greedy >= atOnce && greedy < 3 * atOnce, `${greedy} at once`);
    assert.equal(other, atOnce);
    await haveShare(100 * CONNECTIONS_PER_SECOND);
    assert.equal(await opened(4 * atOnce), 4 * atOnce);
    await haveShare(CONNECTIONS_PER_SECOND);
  });

  /** From now on. */
  async function haveShare(connectionsPerSecond: number): Promise<void> {
    containers.options.connectionsPerSecond = connectionsPerSecond;
    await containers.reopen();
    await containers.kernel.cleanUp(new Set());
  }

  it('finds who takes most of the connections that there is room for, and has them forgotten with it', async () => {
    await haveShare(100 * CONNECTIONS_PER_SECOND);
    const args = [ownAddress(), String(portOf(publicServer)), '2000'];
    const hog = containers.spec(['perl', '-e', `${OPENER}; sleep 99`, ...args], { network: 'nat' });
    const quiet = containers.spec(['sleep', '99'], { network: 'nat' });
    const room = readFileSync(ROOM, 'latin1');
    try {
      const address = await containers.during(quiet, () =>
        containers.during(hog, async ({ address }) => {
          for (let tries = 0; containers.output(hog) === '' && tries < 200; tries++) await sleep(50);
          assert.deepEqual(await containers.kernel.connectionHogs(), []);
          assert.ok((await sampleSources(100_000)).get(address!)! >= 1500);
          writeFileSync(ROOM, String(Math.floor(1.9 * Number(readFileSync(COUNT, 'latin1')))));
          assert.deepEqual(await containers.kernel.connectionHogs(), [hog.id]);
          return address!;
        }),
      );
      assert.equal((await sampleSources(100_000)).get(address), undefined);
    } finally {
      writeFileSync(ROOM, room);
      await haveShare(CONNECTIONS_PER_SECOND);
    }
  });

  it('keeps a container from filling the table in which the machine’s neighbours are', async () => {
    const room = readFileSync(NEIGHBOURS_ROOM, 'latin1');
    const refusals = async (prepare: (pid: number) => void) => {
      const spec = containers.spec(['sleep', '99'], { network: 'nat' });
      return containers.during(spec, async ({ pid }) => {
        prepare(pid);
        const before = neighbourTable();
        writeFileSync(NEIGHBOURS_ROOM, String(before.entries + 1000));
        await containers.exec(spec, `perl -e '${DIRECT_SENDER}'`);
        return neighbourTable().fulls - before.fulls;
      });
    };
    const asks = (pid: number) =>
      execFileSync('nsenter', ['-t', String(pid), '-n', 'ip', 'link', 'set', 'eth0', 'arp', 'on']);
    try {
      assert.equal(await refusals(() => {}), 0);
      assert.ok((await refusals(asks)) > 100);
    } finally {
      writeFileSync(NEIGHBOURS_ROOM, room);
    }
  });

  it('lets the kernel forget soon what a container has closed', async function () {
    // Not every kernel tells.
    if (!existsSync(CONNECTIONS)) return this.skip();
    const script = `exec 3<>/dev/tcp/${ownAddress()}/${portOf(publicServer)}; cat <&3; exec 3>&-; sleep 100`;
    const spec = containers.spec(['bash', '-c', script], { network: 'nat' });
    await containers.during(spec, async ({ address }) => {
      let closed: RegExpExecArray | null = null;
      const line = new RegExp(` tcp +6 (\\d+) TIME_WAIT src=${address} `);
      for (let tries = 0; !closed && tries < 100; tries++) {
        await sleep(20);
        closed = line.exec(readFileSync(CONNECTIONS, 'latin1'));
      }
      assert.ok(Number(closed?.[1]) <= 10, `${closed?.[0]} seconds`);
    });
  });

  it('has no IPv6 beyond loopback', async () => {
    const { output } = await containers.run('cut -c1-32 /proc/net/if_inet6', { network: 'nat' });
    assert.equal(output, '00000000000000000000000000000001\n');
  });

  it('is no network on which services of the host ask all neighbours', async () => {
    await containers.during(containers.spec('sleep 9', { network: 'nat' }), async ({ address }) => {
      const route = execFileSync('ip', ['route', 'get', address!], { encoding: 'utf8' });
      const device = / dev (\S+)/.exec(route)![1];
      const flags = Number(readFileSync(`/sys/class/net/${device}/flags`, 'utf8'));
      assert.deepEqual([flags & IFF_UP, flags & IFF_MULTICAST], [IFF_UP, 0]);
    });
  });

  it('tells at once that nobody has an address any more', async () => {
    const address = await containers.during(
      containers.spec('sleep 9', { network: 'nat' }),
      async (process) => process.address,
    );
    const start = performance.now();
    await assert.rejects(tryFromHost(address!, 80), { code: 'EHOSTUNREACH' });
    assert.ok(performance.now() - start < 500);
  });

  it('holds the network of what it kills until it has taken that away', async () => {
    const spec = greeter();
    const { pid, address } = await containers.start(spec);
    const link = containers.interfaceTo(address!);
    const namespace = readlinkSync(`/proc/${pid}/ns/net`);
    containers.kernel.kill(spec.id, 9);
    await containers.exited(spec);
    assert.notEqual(interfaceNumber(link), 'gone');
    assert.ok(openFiles().includes(namespace));
    await containers.kernel.release(spec.id);
    assert.equal(interfaceNumber(link), 'gone');
    assert.ok(!openFiles().includes(namespace));
  });

  it('gives addresses again only when it must', async () => {
    const addresses = new Set<string>();
    for (let round = 0; round < 5; round++) {
      await containers.during(containers.spec('sleep 9', { network: 'nat' }), async ({ address }) => {
        addresses.add(address!);
      });
    }
    assert.equal(addresses.size, 5);
  });

  it('asks our name server', async () => {
    const { output } = await containers.run('cat /etc/resolv.conf', { network: 'nat' });
    assert.match(output, /^nameserver 169\.254\.1\.1$/m);
  });

  it('drops what a container sends under another’s address', async () => {
    const shared = { ...ORDINARY_TRAFFIC, networks: [{ network: 'a'.repeat(64), names: [], links: {} }] };
    const receiver = containers.spec(['perl', '-e', RECEIVER], { network: 'nat', traffic: shared });
    const victim = containers.spec('sleep 99', { network: 'nat', traffic: shared });
    await containers.during(receiver, async ({ address: to }) => {
      await containers.during(victim, async ({ address: from }) => {
        const spoof = () =>
          containers.run(['perl', '-e', SPOOFER, from!, to!], {
            ...{ network: 'nat', uid: 0, gid: 0, capabilities: ['CAP_NET_RAW'] },
          });
        assert.equal((await spoof()).output, 'sent\n');
        await sleep(300);
        assert.equal(containers.output(receiver), '');
        execFileSync('nft', ['flush', 'chain', 'inet', `paas_${instanceTag(containers.folder)}`, 'spoofed']);
        await spoof();
        for (let tries = 0; tries < 40 && containers.output(receiver) === ''; tries++) await sleep(50);
        assert.equal(containers.output(receiver), `${from}\n`);
      });
    });
    await containers.withoutFirewall(async () => {});
  });

  it('lets an app listen on port 80, and any user', async () => {
    const spec = greeter();
    await containers.during(spec, async () => {
      await sleep(100);
      assert.equal(containers.output(spec), '');
    });
  });
});

async function listen(): Promise<Server> {
  // Not every client waits for the end.
  const server = createServer((socket) => socket.on('error', () => {}).end('hello from the host\n'));
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  return server;
}

/** How many neighbours all network namespaces have, and how often there was no room for one. */
function neighbourTable(): { entries: number; fulls: number } {
  const [names, ...rows] = readFileSync('/proc/net/stat/arp_cache', 'latin1').trim().split('\n');
  const column = names!.trim().split(/\s+/).indexOf('table_fulls');
  const numbers = rows.map((row) =>
    row
      .trim()
      .split(/\s+/)
      .map((text) => Number.parseInt(text, 16)),
  );
  return { entries: numbers[0]![0]!, fulls: numbers.reduce((sum, row) => sum + row[column]!, 0) };
}

/** An address of this machine. */
function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flat();
  return addresses.find((entry) => entry?.family === 'IPv4' && !entry.internal)!.address;
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}

function fromHost(host: string, port: number): Promise<string> {
  return whenItListens(() => tryFromHost(host, port));
}

function connected(host: string, port: number): Promise<Socket> {
  return whenItListens(async () => {
    const socket = connect({ host, port, noDelay: true });
    await once(socket, 'connect');
    return socket;
  });
}

async function whenItListens<T>(action: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await action();
    } catch (error) {
      if (tries > 40) throw error;
      await sleep(25);
    }
  }
}

function tryFromHost(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ host, port, timeout: 1000 });
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}
