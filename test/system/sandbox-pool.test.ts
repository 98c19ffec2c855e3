import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { instanceTag } from '../../runtime/containers/instance-tag.ts';
import { testSubnet } from '../fixtures/test-subnet.ts';
import { parkedProcesses } from './engine-leftovers.ts';
import { BASE } from './engine-process.ts';
import { engineSuite } from './engine-suite.ts';

describe('sandboxes made in advance', function () {
  this.timeout(180_000);
  const engine = engineSuite([], testSubnet('sandbox pool', 22));

  async function start(script: string, more: object = {}) {
    const container = await engine.docker.createContainer({
      ...{ Image: BASE, Cmd: ['sh', '-c', script], ...more },
    });
    await container.start();
    const { State, NetworkSettings } = await container.inspect();
    return { container, pid: State.Pid, address: addressOf(NetworkSettings) };
  }

  const interfaces = () => {
    const prefix = `v${instanceTag(join(engine.root, 'run'))}-`;
    return readdirSync('/sys/class/net').filter((name) => name.startsWith(prefix));
  };

  /** Waits until a list stays as short as this: what was killed takes the kernel a moment. */
  async function settles(list: () => unknown[], length: number): Promise<void> {
    for (let tries = 0; list().length !== length; tries++) {
      assert.ok(tries < 200, `${list().length} instead of ${length}: ${list().slice(0, 10)}`);
      await sleep(100);
    }
  }

  it('are a few while little happens, and all of them are gone after an orderly end', async () => {
    await settles(interfaces, LEAST);
    await engine.end('SIGTERM');
    assert.deepEqual(interfaces(), []);
    await engine.start();
  });

  it('are not taken away by a second runtime of the same instance, which is refused', async () => {
    await settles(interfaces, LEAST);
    const before = interfaces();
    const { status, stderr } = engine.startSecond();
    assert.match(stderr, /Another runtime answers at/);
    assert.notEqual(status, 0);
    assert.deepEqual(interfaces(), before);
  });

  it('leave nothing when the runtime is killed while it makes them, at eight moments', async () => {
    const lasting = await start('sleep 1000');
    for (let round = 0; round < 8; round++) {
      const starts = Array.from({ length: 6 }, () => start('sleep 1000').catch(() => undefined));
      await sleep(round * 6);
      await engine.end('SIGKILL');
      await Promise.all(starts);
      await engine.start();
    }
    const running = await engine.docker.listContainers();
    await settles(interfaces, LEAST + running.length);
    await settles(parked, LEAST);
    const { State, NetworkSettings } = await lasting.container.inspect();
    assert.deepEqual([State.Pid, addressOf(NetworkSettings)], [lasting.pid, lasting.address]);
    await engine.removeContainers();
    await settles(interfaces, LEAST);
  });

  it('give three hundred containers that start at once an address each, all reachable', async () => {
    const started = await Promise.all(Array.from({ length: 300 }, () => start('sleep 1000')));
    assert.equal(new Set(started.map(({ address }) => address)).size, 300);
    const namespaces = started.map(({ pid }) => readlinkSync(`/proc/${pid}/ns/net`));
    assert.equal(new Set(namespaces).size, 300);
    const answers = await Promise.all(started.map(({ address }) => answer(address, 9)));
    // Nobody listens there, and the container's own kernel side says so.
    assert.deepEqual([...new Set(answers)], ['ECONNREFUSED']);
    await engine.removeContainers();
  });

  it('are new to every container, also one that starts right after another has ended', async () => {
    const seen = 'cut -d: -f2 /proc/net/dev | tail -n +3; cat /proc/net/tcp | wc -l';
    const first = await start(LISTEN);
    for (let tries = 0; (await answer(first.address, 80)) !== 'open'; tries++) {
      assert.ok(tries < 100);
      await sleep(50);
    }
    // The negative control: it sees what was sent to it, and its own listening socket.
    assert.notEqual(traffic(first.pid), 0);
    await first.container.remove({ force: true });
    for (let round = 0; round < 20; round++) {
      const next = await start(`${seen}; sleep 1000`);
      assert.notEqual(next.address, first.address);
      assert.equal(traffic(next.pid), 0);
      assert.equal(readFileSync(`/proc/${next.pid}/net/tcp`, 'utf8').trim().split('\n').length, 1);
      await next.container.remove({ force: true });
    }
  });

  /** The processes that wait for a container. */
  const parked = () => parkedProcesses(engine.root);
});

/** Of a runtime that is idle, see networks.ts. */
const LEAST = 8;

const LISTEN = `exec perl -e 'use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 80, Listen => 9) or die $!; while ($c = $s->accept) { close $c }'`;

/** Packets that a container's eth0 has received. */
function traffic(pid: number): number {
  const line = readFileSync(`/proc/${pid}/net/dev`, 'utf8').match(/eth0:\s*(.*)/)![1]!;
  return Number(line.split(/\s+/)[1]);
}

function addressOf(settings: { Networks: Record<string, { IPAddress: string }> }): string {
  return Object.values(settings.Networks)[0]!.IPAddress;
}

function answer(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.setTimeout(20_000, () => socket.destroy(new Error('timeout')));
    socket.once('connect', () => {
      socket.destroy();
      resolve('open');
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}
