import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';

const RANGE = ['--subnet', '10.9.0.0/24', '--gateway', '10.9.0.1', '--ip-range', '10.9.0.0/28'];

const REFUSED = [
  ['--privileged'],
  ...['host', 'container:x'].flatMap((mode) => [
    ['--network', mode],
    ['--pid', mode],
    ['--ipc', mode],
  ]),
  ['--ipc', 'shareable'],
  ['--uts', 'host'],
  ['--cgroupns', 'host'],
  ['--volumes-from', 'x'],
  ['--group-add', '5'],
  ['--device', '/dev/null'],
  ['--device-cgroup-rule', 'c 1:3 r'],
  ['--gpus', 'all'],
  ['--device-read-bps', '/dev/sda:1mb'],
  ['--blkio-weight-device', '/dev/sda:100'],
  ['--cgroup-parent', '/x'],
  ['--oom-kill-disable'],
  ['--cpu-rt-runtime', '1000'],
  ['--cpu-rt-period', '1000'],
  ['--runtime', 'runc'],
  ['--security-opt', 'seccomp=unconfined'],
  ['--security-opt', 'no-new-privileges=false'],
  ['--ip', '10.9.0.9'],
  ['--network', 'own', '--ip', '10.9.0.9'],
  ['--network', 'own', '--ip6', 'fd00::9'],
  ['--network', 'own', '--link-local-ip', '169.254.9.9'],
  ['--mac-address', '02:42:ac:11:00:09'],
  ['--link', 'x'],
  ['--volume-driver', 'nfs'],
  ['-p', '80/sctp'],
  ['-p', '[::1]::80'],
];

const ACCEPTED = [
  ['--init'],
  ['--annotation', 'a=b'],
  ['--memory-swappiness', '10'],
  ['--isolation', 'default'],
  ['--security-opt', 'systempaths=unconfined'],
  ['--runtime', 'paas'],
  ['--network', 'name=own,driver-opt=a=b,gw-priority=1'],
  ['--network', 'own', '--link', 'x:y'],
];

describe('looking at containers, with the docker client', function () {
  this.timeout(90_000);
  const engine = engineSuite([DOCKER]);

  const docker = async (...args: string[]) => (await engine.output(...args)).trim();

  const run = (script: string, ...options: string[]) =>
    docker('run', '-d', '--name', 'web', ...options, BASE, 'sh', '-c', script);

  it('docker top lists the processes of the container, by their numbers outside, and nobody else', async () => {
    await run('sleep 1234 & sleep 4321');
    const table = (await docker('top', 'web')).split('\n');
    assert.match(table[0]!, /^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/);
    const init = await docker('inspect', '-f', '{{.State.Pid}}', 'web');
    assert.match(table[1]!, new RegExp(`^70000 +${init} `));
    const commands = (await docker('top', 'web', '-o', 'args')).split('\n').slice(1);
    assert.deepEqual(commands.slice(1).sort(), ['sh -c sleep 1234 & sleep 4321', 'sleep 1234', 'sleep 4321']);
    const exec = docker('exec', 'web', 'sleep', '3');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const during = (await docker('top', 'web', '-o', 'args')).split('\n').slice(1);
    assert.equal(during.length, commands.length + 1, during.join('; '));
    await exec;
  });

  it('docker run refuses what docs/docker-api.md says, and accepts what has no effect', async () => {
    await docker('network', 'create', '-o', 'com.docker.network.driver.mtu=1400', ...RANGE, 'own');
    const tried = async (flags: string[]) => {
      const { code, stderr } = await engine.client('run', '--rm', ...flags, BASE, 'true');
      return [code, /Error response from daemon/.test(stderr)];
    };
    for (const flags of REFUSED) assert.deepEqual(await tried(flags), [125, true], flags.join(' '));
    for (const flags of ACCEPTED) assert.deepEqual(await tried(flags), [0, false], flags.join(' '));
    const look = 'cat /sys/class/net/eth0/mtu; ls /.dockerenv 2>&1';
    const { stdout } = await engine.client('run', '--rm', '--network', 'own', BASE, 'sh', '-c', look);
    assert.match(stdout, /^1500\n.*No such file/);
    await docker('network', 'rm', 'own');
  });

  it('docker top runs nothing of the container', async () => {
    await run(
      'echo "#!/bin/sh\ntouch /tmp/canary" > /tmp/ps; chmod +x /tmp/ps; sleep 99',
      '-e',
      'PATH=/tmp:/bin:/usr/bin',
    );
    await docker('top', 'web', 'aux');
    assert.equal((await engine.client('exec', 'web', 'ls', '/tmp/canary')).code, 2);
    const stopped = await docker('create', BASE, 'true');
    assert.notEqual((await engine.client('top', stopped)).code, 0);
  });

  it('docker stats shows memory, processor, processes, network and disk as they are', async () => {
    const hold = 'my $x = "x" x (50 << 20); while (1) { my $end = time + 1; 1 while time < $end }';
    await docker('run', '-d', '--name', 'web', '-m', '256m', '--cpus', '0.5', BASE, 'perl', '-e', hold);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    const format = '{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.PIDs}}|{{.NetIO}}';
    const [name, cpu, memory, pids, network] = (
      await docker('stats', '--no-stream', '--format', format, 'web')
    ).split('|');
    assert.equal(name, 'web');
    assert.ok(Number.parseFloat(cpu!) > 15 && Number.parseFloat(cpu!) < 90, String(cpu));
    const [, used, limit] = /^([\d.]+)MiB \/ ([\d.]+)MiB$/.exec(memory!) ?? [];
    assert.ok(Number(used) > 50 && Number(used) < 150, String(memory));
    assert.equal(limit, '256');
    assert.equal(pids, '2');
    assert.match(network!, /B \/ .*B$/);
  });

  it('stats count what goes through the network', async () => {
    await run('while :; do echo x > /dev/udp/127.0.0.1/9; sleep 1; done', '--name', 'web');
    const container = engine.docker.getContainer('web');
    const sent = async () => {
      const { networks } = (await container.stats({ stream: false, 'one-shot': true })) as {
        networks: Record<string, { tx_bytes: number }>;
      };
      return Object.values(networks)[0]!.tx_bytes;
    };
    const before = await sent();
    const send =
      'use IO::Socket::INET; my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => "192.0.2.1:9"); $s->send("x" x 1000) for 1..20';
    await docker('exec', 'web', 'perl', '-e', send);
    // Some are refused on the way, which a later one is told instead of being sent.
    const more = (await sent()) - before;
    assert.ok(more > 10_000 && more < 40_000, `${more} bytes`);
  });

  it('stats stream a sample a second with the one before, until the container is removed', async () => {
    await run('while :; do :; done');
    const stream = (await engine.docker
      .getContainer('web')
      .stats({ stream: true })) as unknown as AsyncIterable<Buffer>;
    const samples: { cpu_stats: Cpu; precpu_stats: Cpu; memory_stats: { limit: number } }[] = [];
    let text = '';
    for await (const chunk of stream) {
      text += chunk.toString();
      const lines = text.split('\n');
      text = lines.pop()!;
      samples.push(...lines.map((line) => JSON.parse(line)));
      if (samples.length === 3) await docker('rm', '-f', 'web');
    }
    const [, second, third] = samples;
    assert.deepEqual(third?.precpu_stats, second?.cpu_stats);
    const used = (cpu: Cpu) => cpu.cpu_usage.total_usage;
    const share =
      (used(third!.cpu_stats) - used(second!.cpu_stats)) /
      (third!.cpu_stats.system_cpu_usage - second!.cpu_stats.system_cpu_usage);
    assert.ok(share > 0 && share <= 1.05, String(share));
    assert.ok(samples.length <= 5);
  });

  it('docker rename, ps with filters and -s, events since and until', async () => {
    await run('sleep 99', '-l', 'app=demo');
    const id = await docker('inspect', '-f', '{{.Id}}', 'web');
    await docker('rename', 'web', 'renamed');
    assert.equal(await docker('inspect', '-f', '{{.Name}}', id), '/renamed');
    const ps = (...filters: string[]) =>
      docker('ps', '-a', '--format', '{{.Names}}', ...filters.flatMap((filter) => ['--filter', filter]));
    await docker('create', '--name', 'second', BASE, 'true');
    assert.equal(await ps('name=^/renamed$'), 'renamed');
    assert.equal(await ps('since=renamed'), 'second');
    assert.equal(await ps('before=second'), 'renamed');
    assert.equal(await ps('status=created', `ancestor=${BASE}`), 'second');
    assert.equal(await ps('label=app=demo', 'health=none', 'network=bridge'), 'renamed');
    assert.match(await docker('ps', '-s', '--format', '{{.Size}}'), /^\d.*B \(virtual [\d.]+[kMG]B\)$/);
    assert.equal((await engine.client('exec', 'renamed', 'sh', '-c', 'exit 3')).code, 3);
    await docker('stop', '-t', '0', 'renamed');
    const until = String(Math.ceil(Date.now() / 1000));
    const events = await docker(
      'events',
      '--since',
      '1h',
      '--until',
      until,
      '--filter',
      `container=${id}`,
      '--format',
      '{{.Action}}',
    );
    assert.deepEqual(events.split('\n'), [
      ...['create', 'start', 'rename'],
      ...['exec_create: sh -c exit 3', 'exec_start: sh -c exit 3', 'exec_die'],
      ...['kill', 'kill', 'die', 'stop'],
    ]);
    const past = await docker('events', '--since', '2h', '--until', '1h', '--format', '{{.Action}}');
    assert.equal(past, '');
    await assert.rejects(engine.docker.getEvents({ since: 'yesterday' as unknown as number }), {
      statusCode: 400,
    });
  });

  it('docker ps shows the command as it can be typed, and an image by its id when another has its name', async () => {
    await run('sleep 99');
    const shown = () => docker('ps', '--no-trunc', '--format', '{{.Image}} {{.Command}}');
    await docker('tag', BASE, 'moving:v1');
    await docker('run', '-d', '--name', 'second', 'moving:v1', 'sleep', '99');
    assert.deepEqual((await shown()).split('\n'), ['moving:v1 "sleep 99"', `${BASE} "sh -c 'sleep 99'"`]);
    const id = await docker('inspect', '-f', '{{.Image}}', 'second');
    await docker('commit', '--pause=false', 'web', 'moving:v1');
    assert.match(await shown(), new RegExp(`^${id} "sleep 99"`));
    await docker('rm', '-f', 'second');
    await docker('rmi', 'moving:v1');
  });

  it('docker inspect says of what is not there that it is not there', async () => {
    assert.match((await engine.client('inspect', 'nonesuch')).stderr, /No such object: nonesuch/);
  });

  it('docker info counts paused containers', async () => {
    await run('sleep 99');
    await docker('pause', 'web');
    const counts = '{{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}}';
    assert.equal(await docker('info', '-f', counts), '0 1 0');
  });
});

interface Cpu {
  cpu_usage: { total_usage: number };
  system_cpu_usage: number;
}
