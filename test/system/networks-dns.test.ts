import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, afterEach, before, describe, it } from 'mocha';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';
import { WorldServer } from './world-server.ts';

/** Asks for two seconds as fast as it can, and says how often, and how many answers came. */
const FLOOD = `use IO::Socket::INET; use Time::HiRes "time"; my ($sent, $answered, $end) = (0, 0, time + 2);
my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => "169.254.1.1", PeerPort => 53, Blocking => 0);
while (time < $end) { $sent++ if $s->send(pack("nnnnnn", $sent & 65535, 256, 1, 0, 0, 0) . "\\x06server" . pack("Cnn", 0, 1, 1));
while (defined $s->recv(my $m, 512)) { $answered++ } } print "$sent $answered\\n";`;

describe('names in containers', function () {
  this.timeout(90_000);
  const world = new WorldServer();
  const engine = engineSuite([DOCKER]);

  before(() => world.open());
  afterEach(() => engine.client('network', 'prune', '-f'));
  after(() => {
    if (engine.used) world.close();
  });

  const docker = async (...args: string[]) => (await engine.output(...args)).trim();
  const sleeper = (name: string, ...args: string[]) =>
    docker('run', '-d', '--name', name, '--dns', world.address, ...args, BASE, 'sleep', '1000');
  const addressOf = async (name: string) =>
    (await docker('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}', name)).split(
      ' ',
    )[0]!;

  /** Addresses of a name, as the C library of a container finds them. */
  async function lookUp(container: string, name: string): Promise<string[]> {
    const found = await docker(
      'exec',
      container,
      'sh',
      '-c',
      `getent ahostsv4 ${name} | cut -d' ' -f1 | sort -u`,
    );
    return found === '' ? [] : found.split('\n');
  }

  it('are those of the containers in shared networks: name, alias, short id, and with the network’s name', async () => {
    await docker('network', 'create', 'one');
    const id = await sleeper('server', '--network', 'one', '--network-alias', 'web.shop.internal');
    await sleeper('friend', '--network', 'one');
    await sleeper('stranger');
    const address = await addressOf('server');
    for (const name of ['server', 'SERVER', 'web.shop.internal', id.slice(0, 12), 'server.one']) {
      assert.deepEqual(await lookUp('friend', name), [address], name);
      assert.deepEqual(await lookUp('stranger', name), [], name);
    }
    assert.match(await docker('exec', 'friend', 'getent', 'hosts', address), /\bserver$/);
    await docker('network', 'connect', '--alias', 'late', 'one', 'stranger');
    assert.deepEqual(await lookUp('friend', 'late'), [await addressOf('stranger')]);
    assert.deepEqual(await lookUp('stranger', 'server'), [address]);
    await docker('rename', 'server', 'renamed');
    assert.deepEqual(await lookUp('friend', 'renamed'), [address]);
    await docker('network', 'disconnect', 'one', 'renamed');
    assert.deepEqual(await lookUp('friend', 'renamed'), []);
  });

  it('of one alias are those of all who have it', async () => {
    await docker('network', 'create', 'one');
    for (const name of ['a', 'b', 'c']) await sleeper(name, '--network', 'one', '--network-alias', 'web');
    const addresses = await Promise.all(['a', 'b', 'c'].map(addressOf));
    assert.deepEqual(await lookUp('a', 'web'), addresses.sort());
    await docker('rm', '-f', 'c');
    assert.equal((await lookUp('a', 'web')).length, 2);
  });

  it('else are the world’s, by UDP and TCP, and completed as asked for', async () => {
    await sleeper(
      'web',
      '--dns-search',
      'search.example',
      '--dns-option',
      'ndots:1',
      '--add-host',
      'fixed:192.0.2.9',
      '--add-host',
      'gate:host-gateway',
    );
    assert.deepEqual(await lookUp('web', 'world.example'), ['192.0.2.77']);
    assert.deepEqual(await lookUp('web', 'short'), ['192.0.2.77']);
    assert.deepEqual(await lookUp('web', 'nonesuch.example'), []);
    assert.deepEqual(await lookUp('web', 'fixed'), ['192.0.2.9']);
    assert.deepEqual(await lookUp('web', 'gate'), ['169.254.1.1']);
    const byTcp = ['exec', '-e', 'RES_OPTIONS=use-vc', 'web', 'getent', 'ahostsv4', 'world.example'];
    assert.match(await docker(...byTcp), /^192\.0\.2\.77/);
  });

  it('of the world are for those alone that reach it', async () => {
    await docker('network', 'create', '--internal', 'inside');
    await sleeper('server', '--network', 'inside');
    await sleeper('shut', '--network', 'inside');
    assert.deepEqual(await lookUp('shut', 'world.example'), []);
    assert.deepEqual(await lookUp('shut', 'server'), [await addressOf('server')]);
    await docker('network', 'connect', 'bridge', 'shut');
    assert.deepEqual(await lookUp('shut', 'world.example'), ['192.0.2.77']);
  });

  it('are not told to one who asks without end, so that the others are answered', async () => {
    await docker('network', 'create', 'one');
    await sleeper('server', '--network', 'one');
    await docker('run', '-d', '--name', 'flood', '--network', 'one', BASE, 'perl', '-e', FLOOD);
    await sleep(300);
    assert.deepEqual(await lookUp('server', 'server'), [await addressOf('server')]);
    await docker('wait', 'flood');
    const [sent, answered] = (await docker('logs', 'flood')).split(' ').map(Number) as [number, number];
    // 500 at once, and 500 a second.
    assert.ok(sent > 2500 && answered > 100 && answered < 2100, `${answered} of ${sent} answered`);
    assert.deepEqual(await lookUp('server', 'server'), [await addressOf('server')]);
  });

  it('are found while the runtime is killed and starts again', async () => {
    await docker('network', 'create', 'one');
    await sleeper('server', '--network', 'one');
    const script =
      'while :; do for name in server world.example; do a=$(date +%s%3N); getent ahostsv4 $name >/dev/null && r=found || r=missing; echo $r $(($(date +%s%3N) - a)); done; sleep 0.02; done';
    await docker(
      'run',
      '-d',
      '--name',
      'asker',
      '--network',
      'one',
      '--dns',
      world.address,
      // How long the runtime takes to start is not the matter: 15 s of patience.
      '--dns-option',
      'timeout:3',
      BASE,
      'sh',
      '-c',
      script,
    );
    const asked = async () => (await docker('logs', 'asker')).split('\n').filter(Boolean);
    const untilAsked = async (times: number) => {
      while ((await asked()).length < times) await sleep(100);
    };
    await untilAsked(6);
    for (let round = 0; round < 3; round++) {
      await engine.end('SIGKILL');
      await engine.start();
      await untilAsked((await asked()).length + 6);
    }
    const lines = (await asked()).map((line) => line.split(' '));
    const longest = Math.max(...lines.map(([, milliseconds]) => Number(milliseconds)));
    console.log(`      ${lines.length} look-ups, the longest ${longest} ms`);
    assert.deepEqual(
      lines.filter(([result]) => result !== 'found'),
      [],
    );
  });
});
