import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, afterEach, before, describe, it } from 'mocha';
import { instanceTag } from '../../runtime/containers/instance-tag.ts';
import { tableName } from '../../runtime/network/firewall-table.ts';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';

/** Answers on TCP port 80 by saying from whom it was asked. */
const GREETER =
  'use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 80, Listen => 99, ReuseAddr => 1) or die $!; while ($c = $s->accept) { print $c "hello " . $c->peerhost . "\\n"; close $c }';
/** Sends each datagram on UDP port 53 back. */
const ECHO =
  'use IO::Socket::INET; $s = IO::Socket::INET->new(Proto => "udp", LocalPort => 53) or die $!; while (defined $s->recv($m, 99)) { $s->send("echo $m") }';

/** A machine on another network of the host's. */
class Neighbour {
  readonly #name = `paas-t${process.pid}`;
  readonly #link = `pt${process.pid}`;
  readonly #prefix = `198.19.${process.pid % 250}`;
  readonly hostAddress = `${this.#prefix}.1`;

  open(): void {
    const inside = ['netns', 'exec', this.#name, 'ip'];
    for (const args of [
      ['netns', 'add', this.#name],
      ['link', 'add', this.#link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.#name],
      ['address', 'add', `${this.hostAddress}/30`, 'dev', this.#link],
      ['link', 'set', this.#link, 'up'],
      [...inside, 'address', 'add', `${this.#prefix}.2/30`, 'dev', 'eth0'],
      [...inside, 'link', 'set', 'eth0', 'up'],
      [...inside, 'route', 'add', 'default', 'via', this.hostAddress],
    ])
      execFileSync('ip', args);
  }

  close(): void {
    execFileSync('ip', ['netns', 'delete', this.#name]);
  }

  /** What it hears from a TCP port. */
  hears(host: string, port: number): string {
    const script = `exec 3<>/dev/tcp/${host}/${port} && cat <&3`;
    try {
      const argv = ['netns', 'exec', this.#name, 'timeout', '2', 'bash', '-c', script];
      return execFileSync('ip', argv, { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' }).trim();
    } catch {
      return 'unreachable';
    }
  }
}

describe('published ports', function () {
  this.timeout(90_000);
  const neighbour = new Neighbour();
  const own = Object.values(networkInterfaces())
    .flat()
    .find((entry) => entry?.family === 'IPv4' && !entry.internal)!.address;
  const engine = engineSuite([DOCKER]);
  /** Below those that the system gives to anybody; another for each test run. */
  const port = 10_000 + (process.pid % 900) * 10;

  before(() => neighbour.open());
  after(() => {
    if (engine.used) neighbour.close();
  });

  const docker = async (...args: string[]) => (await engine.output(...args)).trim();

  /** Starts the greeter, and waits until it answers the host. */
  async function greeter(name: string, ...args: string[]): Promise<void> {
    await docker('run', '-d', '--name', name, ...args, BASE, 'perl', '-e', GREETER);
    const address = await docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', name);
    for (let tries = 0; tries < 100 && (await hears(address, 80)) === 'unreachable'; tries++) await sleep(50);
  }
  const fromContainer = (name: string, host: string, port: number) =>
    docker(
      'exec',
      name,
      'sh',
      '-c',
      `timeout 2 bash -c 'exec 3<>/dev/tcp/${host}/${port} && cat <&3' 2>/dev/null || echo unreachable`,
    );

  it('lead to the container from the host, from its neighbours, from containers, and from itself', async () => {
    await greeter('web', '-p', `${port}:80`);
    await docker('run', '-d', '--name', 'other', BASE, 'sleep', '1000');
    assert.equal(await hears('127.0.0.1', port), 'hello 169.254.1.1');
    assert.equal(await hears(own, port), `hello ${own}`);
    assert.match(neighbour.hears(neighbour.hostAddress, port), /^hello 198\.19\.\d+\.2$/);
    const [web, other] = await Promise.all(
      ['web', 'other'].map((name) => docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', name)),
    );
    assert.equal(await fromContainer('other', own, port), `hello ${other}`);
    assert.equal(await fromContainer('web', own, port), 'hello 169.254.1.1');
    // Only the way by the host's port is open.
    assert.equal(await fromContainer('other', web!, 80), 'unreachable');
    assert.equal(neighbour.hears(web!, 80), 'unreachable');
  });

  it('of one address of the host are not to be had at another', async () => {
    await greeter('web', '-p', `127.0.0.1:${port}:80`, '-p', `${neighbour.hostAddress}:${port}:80`);
    assert.equal(await hears('127.0.0.1', port), 'hello 169.254.1.1');
    assert.equal(await hears(own, port), 'unreachable');
    assert.match(neighbour.hears(neighbour.hostAddress, port), /^hello/);
    assert.equal(neighbour.hears(own, port), 'unreachable');
  });

  it('work for UDP', async () => {
    await docker('run', '-d', '--name', 'echo', '-p', `${port}:53/udp`, BASE, 'perl', '-e', ECHO);
    assert.equal(await echo('127.0.0.1', port), 'echo hi');
    assert.equal(await echo(own, port), 'echo hi');
  });

  it('lead to the container as it is now, for a UDP client that never stopped asking', async () => {
    await docker('run', '-d', '--name', 'echo', '-p', `${port}:53/udp`, BASE, 'perl', '-e', ECHO);
    const client = createSocket('udp4');
    let answers = 0;
    client.on('message', () => answers++);
    const timer = setInterval(() => client.send('hi', port, '127.0.0.1'), 50);
    const answered = async () => {
      answers = 0;
      for (let tries = 0; tries < 60 && answers === 0; tries++) await sleep(100);
      return answers > 0;
    };
    try {
      assert.ok(await answered());
      await docker('stop', '-t', '0', 'echo');
      await sleep(300);
      await docker('start', 'echo');
      assert.ok(await answered());
    } finally {
      clearInterval(timer);
      client.close();
    }
  });

  it('are ranges, any that is free, or all that the image exposes; ps, port and inspect show them', async () => {
    await greeter('web', '-p', `${port}-${port + 1}:80-81`, '-p', '127.0.0.1::90', '--expose', '70');
    const ports = await docker('port', 'web');
    assert.match(ports, new RegExp(`^80/tcp -> 0\\.0\\.0\\.0:${port}$`, 'm'));
    assert.match(ports, new RegExp(`^81/tcp -> 0\\.0\\.0\\.0:${port + 1}$`, 'm'));
    assert.match(ports, /^90\/tcp -> 127\.0\.0\.1:\d+$/m);
    const listed = await docker('ps', '--format', '{{.Ports}}');
    assert.match(listed, /70\/tcp/);
    assert.match(listed, new RegExp(`0\\.0\\.0\\.0:${port}->80/tcp, 0\\.0\\.0\\.0:${port + 1}->81/tcp`));
    const bindings = JSON.parse(await docker('inspect', '-f', '{{json .HostConfig.PortBindings}}', 'web'));
    assert.deepEqual(bindings['80/tcp'], [{ HostIp: '', HostPort: `${port}` }]);
    await greeter('all', '-P', '--expose', '80');
    const [, random] = /^80\/tcp -> 0\.0\.0\.0:(\d+)$/.exec(await docker('port', 'all')) ?? [];
    assert.match(await hears('127.0.0.1', Number(random)), /^hello/);
  });

  it('are refused while somebody has them, and free after the container’s end', async () => {
    await greeter('web', '-p', `${port}:80`);
    const second = await engine.client('run', '--name', 'second', '-p', `${port}:80`, BASE, 'true');
    assert.match(second.stderr, /Bind for 0\.0\.0\.0:\d+ failed: port is already allocated/);
    const range = await docker(
      'run',
      '-d',
      '--name',
      'third',
      '-p',
      `${port}-${port + 5}:80`,
      BASE,
      'sleep',
      '99',
    );
    assert.ok(range);
    assert.doesNotMatch(await docker('port', 'third'), new RegExp(`:${port}$`, 'm'));
    await assert.rejects(listen(port), { code: 'EADDRINUSE' });
    await docker('stop', '-t', '0', 'web');
    assert.equal(await hears('127.0.0.1', port), 'unreachable');
    const server = await listen(port);
    const taken = await engine.client('start', 'web');
    assert.match(taken.stderr, /port is already allocated/);
    await new Promise((resolve) => server.close(resolve));
    await docker('start', 'web');
    for (let tries = 0; tries < 100 && (await hears('127.0.0.1', port)) === 'unreachable'; tries++)
      await sleep(50);
    assert.match(await hears('127.0.0.1', port), /^hello/);
  });

  it('go on while the runtime is killed and starts again, with connections that stand', async () => {
    await greeter('web', '-p', `${port}:80`);
    const standing = connect(port, '127.0.0.1');
    await engine.end('SIGKILL');
    assert.match(await hears('127.0.0.1', port), /^hello/);
    await engine.start();
    assert.match(await hears('127.0.0.1', port), /^hello/);
    await assert.rejects(listen(port), { code: 'EADDRINUSE' });
    await docker('rm', '-f', 'web');
    await (await listen(port)).close();
    standing.destroy();
  });

  describe('that lead to containers as they come and go', () => {
    /** Says who it is, on TCP port 80. */
    const nameGiver = (name: string) =>
      `use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 80, Listen => 99, ReuseAddr => 1) or die $!; while ($c = $s->accept) { print $c "${name}\\n"; close $c }`;

    async function member(name: string): Promise<string> {
      const id = await docker('run', '-d', '--name', name, BASE, 'perl', '-e', nameGiver(name));
      const address = await docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', name);
      for (let tries = 0; tries < 100 && (await hears(address, 80)) !== name; tries++) await sleep(50);
      return id;
    }
    /** The host's port leads to port 80 of these; returns why not. */
    async function forward(
      containers: string[],
      options: { on?: number; protocol?: string } = {},
    ): Promise<string[]> {
      const { on = port, protocol = 'tcp' } = options;
      const Targets = containers.map((Container) => ({ Container, Port: protocol === 'tcp' ? 80 : 53 }));
      const answer = await engine.forward([{ Protocol: protocol, Port: on, Targets }]);
      return answer.Refused.map(({ Reason }) => Reason);
    }
    afterEach(() => engine.forward([]));

    it('go to each in turn, from everywhere, and at once to those that are said next', async () => {
      const [one, two, other] = [await member('one'), await member('two'), await member('other')];
      assert.deepEqual(await forward([one, two]), []);
      const heard = [];
      for (let i = 0; i < 6; i++) heard.push(await hears('127.0.0.1', port));
      assert.deepEqual(heard.sort(), ['one', 'one', 'one', 'two', 'two', 'two']);
      assert.match(neighbour.hears(neighbour.hostAddress, port), /^(one|two)$/);
      assert.match(await fromContainer('other', own, port), /^(one|two)$/);
      for (let i = 0; i < 2; i++) assert.match(await fromContainer('one', own, port), /^(one|two)$/);
      await forward([other]);
      for (let i = 0; i < 4; i++) assert.equal(await hears(own, port), 'other');
      await forward([]);
      assert.equal(await hears(own, port), 'unreachable');
    });

    it('go to no container that has ended, and are nobody else’s while none is there', async () => {
      const [one, two] = [await member('one'), await member('two')];
      await forward([one, two, 'f'.repeat(64)]);
      await docker('rm', '-f', 'one');
      // As long as the port leads to the one that has ended, too, each second connection goes there.
      const heardTwice = async () =>
        (await hears('127.0.0.1', port)) === 'two' && (await hears('127.0.0.1', port)) === 'two';
      for (let tries = 0; tries < 40 && !(await heardTwice()); tries++) await sleep(10);
      for (let i = 0; i < 4; i++) assert.equal(await hears('127.0.0.1', port), 'two');
      await docker('rm', '-f', 'two');
      assert.equal(await hears('127.0.0.1', port), 'unreachable');
      await assert.rejects(listen(port), { code: 'EADDRINUSE' });
      await engine.forward([]);
      (await listen(port)).close();
    });

    it('outlive the runtime, and the loss of all rules', async () => {
      await forward([await member('one')]);
      await engine.end('SIGKILL');
      assert.equal(await hears('127.0.0.1', port), 'one');
      await engine.start();
      assert.equal(await hears('127.0.0.1', port), 'one');
      await assert.rejects(listen(port), { code: 'EADDRINUSE' });
      const table = tableName(instanceTag(join(engine.root, 'run')));
      execFileSync('nft', ['delete', 'table', 'inet', table]);
      for (let tries = 0; tries < 40 && (await hears('127.0.0.1', port)) !== 'one'; tries++) await sleep(100);
      assert.equal(await hears('127.0.0.1', port), 'one');
    });

    it('say which of them another program has, and do not hold up the others', async () => {
      const one = await member('one');
      const server = await listen(port + 1);
      const Targets = [{ Container: one, Port: 80 }];
      const { Refused } = await engine.forward([
        { Protocol: 'tcp', Port: port + 1, Targets },
        { Protocol: 'tcp', Port: port, Targets },
      ]);
      assert.deepEqual(
        Refused.map(({ Port }) => Port),
        [port + 1],
      );
      assert.match(Refused[0]!.Reason, /port is already allocated/);
      assert.equal(await hears('127.0.0.1', port), 'one');
      server.close();
    });

    it('work for UDP: a client that never stops asking follows to another container', async () => {
      const teller = (name: string) => ECHO.replace('echo $m', name);
      for (const name of ['one', 'two'])
        await docker('run', '-d', '--name', name, BASE, 'perl', '-e', teller(name));
      const [one, two] = await Promise.all(
        ['one', 'two'].map((name) => docker('inspect', '-f', '{{.Id}}', name)),
      );
      const client = createSocket('udp4');
      const heard: string[] = [];
      client.on('message', (bytes) => heard.push(String(bytes)));
      const timer = setInterval(() => client.send('hi', port, '127.0.0.1'), 20);
      const hearsOf = async (name: string) => {
        for (let tries = 0; tries < 100 && heard.at(-1) !== name; tries++) await sleep(50);
        assert.equal(heard.at(-1), name);
      };
      try {
        await forward([one!], { protocol: 'udp' });
        await hearsOf('one');
        await forward([one!, two!], { protocol: 'udp' });
        await sleep(200);
        assert.equal(heard.at(-1), 'one');
        await forward([two!], { protocol: 'udp' });
        await hearsOf('two');
      } finally {
        clearInterval(timer);
        client.close();
      }
    });

    it('lead to no container that the asker may not see', async () => {
      const one = await member('one');
      const Targets = [{ Container: one, Port: 80 }];
      await engine.forward([{ Protocol: 'tcp', Port: port, Targets }], engine.platform);
      assert.equal(await hears('127.0.0.1', port), 'unreachable');
    });
  });

  it('that make no sense are refused', async () => {
    for (const wrong of [
      { '0/tcp': [] },
      { '80/sctp': [] },
      { '80/tcp': [{ HostPort: '9-3' }] },
      { '80/tcp': [{ HostIp: '::1' }] },
      { '80/tcp': 'x' },
    ]) {
      await assert.rejects(
        engine.docker.createContainer({ Image: BASE, Cmd: ['true'], HostConfig: { PortBindings: wrong } }),
        { statusCode: 400 },
      );
    }
    const away = await engine.client('run', '-p', '203.0.113.9:8080:80', BASE, 'true');
    assert.match(away.stderr, /Bind for 203\.0\.113\.9:8080 failed: EADDRNOTAVAIL/);
    await assert.rejects(
      engine.platform.createContainer({
        Image: BASE,
        Cmd: ['true'],
        HostConfig: { PortBindings: { '80/tcp': [{}] } },
      }),
      { statusCode: 403 },
    );
  });
});

function hears(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2000 });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    const end = () => {
      socket.destroy();
      resolve(text.trim() || 'unreachable');
    };
    for (const event of ['end', 'error', 'timeout']) socket.once(event, end);
  });
}

async function echo(host: string, port: number): Promise<string> {
  const socket = createSocket('udp4');
  const answer = new Promise<string>((resolve) => socket.once('message', (bytes) => resolve(String(bytes))));
  // Until it listens, datagrams are lost.
  const timer = setInterval(() => socket.send('hi', port, host), 100);
  const text = await Promise.race([answer, sleep(5000, 'nothing')]);
  clearInterval(timer);
  socket.close();
  return text;
}

function listen(port: number): Promise<ReturnType<typeof createServer>> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '0.0.0.0', () => resolve(server));
  });
}
