import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import type { LaunchSpec } from '../../runtime/containers/kernel.ts';
import { KernelFixture, whyNot } from './kernel-fixture.ts';

const GREETER =
  'use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 80, Listen => 9, ReuseAddr => 1) or die $!; while ($c = $s->accept) { print $c "hello from " . $c->peerhost . "\\n"; close $c }';

describe('LinuxKernel network', () => {
  const containers = new KernelFixture();
  let server: Server;
  let port: number;

  before(async function () {
    if (whyNot()) this.skip();
    await containers.open();
    server = createServer((socket) => socket.end('hello from the host\n'));
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    port = (server.address() as { port: number }).port;
  });
  after(async () => {
    if (whyNot()) return;
    server.close();
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
    const own = Object.values(networkInterfaces())
      .flat()
      .find((entry) => entry?.family === 'IPv4' && !entry.internal);
    for (const host of ['169.254.1.1', own!.address]) {
      assert.equal(await fromContainer(host, port), 'unreachable');
      assert.match(await containers.withoutFirewall(() => fromContainer(host, port)), /hello from the host/);
    }
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

  it('has no IPv6 beyond loopback', async () => {
    const { output } = await containers.run('cut -c1-32 /proc/net/if_inet6', { network: 'nat' });
    assert.equal(output, '00000000000000000000000000000001\n');
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

  it('gives addresses again only when it must', async () => {
    const addresses = new Set<string>();
    for (let round = 0; round < 5; round++) {
      await containers.during(containers.spec('sleep 9', { network: 'nat' }), async ({ address }) => {
        addresses.add(address!);
      });
    }
    assert.equal(addresses.size, 5);
  });

  it('asks the host’s name servers', async () => {
    const { output } = await containers.run('cat /etc/resolv.conf', { network: 'nat' });
    const servers = [...readFileSync('/etc/resolv.conf', 'utf8').matchAll(/^nameserver (?!127\.)(\S+)/gm)];
    for (const [line] of servers) assert.ok(output.includes(line));
  });

  it('lets an app listen on port 80, and any user', async () => {
    const spec = greeter();
    await containers.during(spec, async () => {
      await sleep(100);
      assert.equal(containers.output(spec), '');
    });
  });
});

async function fromHost(host: string, port: number): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return await tryFromHost(host, port);
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
