import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, afterEach, before, describe, it } from 'mocha';
import { instanceTag } from '../../runtime/containers/instance-tag.ts';
import { BASE } from './engine-process.ts';
import { engineSuite } from './engine-suite.ts';

const GREETER =
  'use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 80, Listen => 9, ReuseAddr => 1) or die $!; while ($c = $s->accept) { print $c "hello\\n"; close $c }';

/** API versions: what the client speaks by itself, and an old one. */
for (const version of [undefined, '1.40']) {
  describe(`docker network, API ${version ?? 'negotiated'}`, function () {
    this.timeout(60_000);
    const engine = engineSuite();

    before(() => {
      if (version) process.env.DOCKER_API_VERSION = version;
    });
    afterEach(() => engine.client('network', 'prune', '-f'));
    after(() => {
      delete process.env.DOCKER_API_VERSION;
    });

    const docker = async (...args: string[]) => (await engine.output(...args)).trim();

    const rules = () =>
      execFileSync('nft', ['list', 'table', 'inet', `paas_${instanceTag(join(engine.root, 'run'))}`], {
        encoding: 'utf8',
      });
    const run = (name: string, ...args: string[]) => docker('run', '-d', '--name', name, ...args);
    const greeter = (name: string, ...args: string[]) => run(name, ...args, BASE, 'perl', '-e', GREETER);
    const sleeper = (name: string, ...args: string[]) => run(name, ...args, BASE, 'sleep', '1000');
    const addressOf = (name: string) =>
      docker('inspect', '-f', '{{(index .NetworkSettings.Networks "bridge").IPAddress}}', name);

    /** Checks what one container hears from the other's port 80. */
    async function hears(from: string, to: string, expected: 'hello' | 'unreachable'): Promise<void> {
      const [address] = (
        await docker('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}', to)
      ).split(' ');
      const tries = expected === 'unreachable' ? '1' : '1 2 3 4 5 6 7 8';
      const script = `for i in ${tries}; do timeout 2 bash -c 'exec 3<>/dev/tcp/${address}/80 && cat <&3' 2>/dev/null && exit; sleep 0.2; done; echo unreachable`;
      assert.equal(await docker('exec', from, 'sh', '-c', script), expected, `${from} → ${to}`);
    }

    it('lists what is always there, and what was made', async () => {
      await docker('network', 'create', '--label', 'a=b', '--internal', 'mine');
      const names = await docker('network', 'ls', '--format', '{{.Name}} {{.Driver}} {{.Scope}}');
      assert.deepEqual(names.split('\n').sort(), [
        'bridge bridge local',
        'mine bridge local',
        'none null local',
      ]);
      assert.equal(
        await docker('network', 'ls', '-q', '--filter', 'label=a=b', '--no-trunc'),
        await docker('network', 'inspect', '-f', '{{.Id}}', 'mine'),
      );
      assert.equal(await docker('network', 'inspect', '-f', '{{.Internal}} {{.Labels.a}}', 'mine'), 'true b');
      const again = await engine.client('network', 'create', 'mine');
      assert.match(again.stderr, /network with name mine already exists/);
      assert.match((await engine.client('network', 'rm', 'bridge')).stderr, /pre-defined/);
      await docker('network', 'rm', 'mine');
      assert.match((await engine.client('network', 'inspect', 'mine')).stderr, /mine not found/);
    });

    it('lets two containers reach each other exactly if they share a network', async () => {
      await docker('network', 'create', 'one');
      await docker('network', 'create', 'two');
      await greeter('server', '--network', 'one');
      await sleeper('friend', '--network', 'one');
      await sleeper('stranger', '--network', 'two');
      await sleeper('nobody');
      await hears('friend', 'server', 'hello');
      await hears('stranger', 'server', 'unreachable');
      await hears('nobody', 'server', 'unreachable');
      await docker('network', 'connect', 'one', 'nobody');
      await docker('network', 'connect', '--alias', 'db', 'two', 'server');
      await hears('nobody', 'server', 'hello');
      await hears('stranger', 'server', 'hello');
      await docker('network', 'disconnect', 'two', 'server');
      await hears('stranger', 'server', 'unreachable');
      await hears('friend', 'server', 'hello');
    });

    it('inspect shows one address in every network, the members, and the aliases', async () => {
      await docker('network', 'create', 'one');
      await sleeper('web', '--network', 'one', '--network-alias', 'www');
      await docker('network', 'connect', 'bridge', 'web');
      const settings = JSON.parse(await docker('inspect', '-f', '{{json .NetworkSettings.Networks}}', 'web'));
      assert.deepEqual(Object.keys(settings).sort(), ['bridge', 'one']);
      assert.equal(settings.one.IPAddress, await addressOf('web'));
      assert.ok(settings.one.Aliases.includes('www'));
      const members = await docker(
        'network',
        'inspect',
        '-f',
        '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}',
        'one',
      );
      assert.equal(members, `web ${settings.one.IPAddress}/32`);
    });

    it('refuses what it cannot do, in words', async () => {
      await docker('network', 'create', 'one');
      const host = await engine.client('run', '--network', 'host', BASE, 'true');
      assert.match(host.stderr, /never share the network of the host/);
      const missing = await engine.client('run', '--network', 'nonesuch', BASE, 'true');
      assert.match(missing.stderr, /network nonesuch not found/);
      const address = await engine.client('run', '--network', 'one', '--ip', '10.0.0.9', BASE, 'true');
      assert.match(address.stderr, /cannot choose its address/);
      await sleeper('web', '--network', 'one');
      assert.match((await engine.client('network', 'rm', 'one')).stderr, /has active endpoints \(name:"web"/);
      assert.match(
        (await engine.client('network', 'connect', 'one', 'web')).stderr,
        /already exists in network one/,
      );
      await sleeper('alone', '--network', 'none');
      assert.match(
        (await engine.client('network', 'connect', 'one', 'alone')).stderr,
        /private \(none\) mode/,
      );
      assert.match(
        (await engine.client('network', 'create', '-d', 'overlay', 'far')).stderr,
        /could not find plugin overlay/,
      );
    });

    it('leaves nothing of a container in the firewall', async () => {
      await docker('network', 'create', 'one');
      await docker('network', 'create', '--internal', 'two');
      for (let round = 0; round < 3; round++) {
        await Promise.all(['a', 'b', 'c'].map((name) => sleeper(name, '--network', 'one', '-p', '80')));
        await docker('network', 'connect', 'two', 'a');
        await docker('network', 'disconnect', 'one', 'a');
        assert.match(rules(), /\bnet_/);
        await docker('rm', '-f', 'a', 'b', 'c');
      }
      // What it did lately is known for four seconds.
      for (let tries = 0; tries < 100 && /\bnet_|\bpeers_|elements/.test(rules()); tries++) await sleep(100);
      assert.doesNotMatch(rules(), /\bnet_|\bpeers_|elements/);
    });

    it('keeps networks and who is in them when the runtime is killed', async () => {
      await docker('network', 'create', 'one');
      await greeter('server', '--network', 'one');
      await sleeper('friend', '--network', 'one');
      await sleeper('stranger');
      await engine.end('SIGKILL');
      await engine.start();
      await hears('friend', 'server', 'hello');
      await hears('stranger', 'server', 'unreachable');
      await docker('stop', '-t', '0', 'server');
      await docker('start', 'server');
      await hears('friend', 'server', 'hello');
    });
  });
}
