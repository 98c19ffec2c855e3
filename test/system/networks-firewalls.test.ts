import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { BASE, EngineProcess, missingForContainers } from './engine-process.ts';

/** Says hello on this port, of everything that it has. */
const greeter = (port: number) =>
  `use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => ${port}, Listen => 9, ReuseAddr => 1) or die $!; while ($c = $s->accept) { print $c "hello\\n"; close $c }`;

/** A host of its own (a network namespace) with a runtime on it, one step away from a machine of the world. */
describe('containers beside other firewalls', function () {
  this.timeout(90_000);
  const host = `paas-h${process.pid}`;
  const world = `paas-w${process.pid}`;
  const prefix = `198.19.${process.pid % 250}`;
  const worldAddress = `${prefix}.6`;
  let engine: EngineProcess;
  let server: ChildProcess;
  let stranger: number;
  let friend: number;
  let peer: string;

  before(async function () {
    if (missingForContainers()) return this.skip();
    makeHost();
    server = spawn('nsenter', [`--net=/run/netns/${world}`, 'perl', '-e', greeter(80)], { stdio: 'ignore' });
    engine = new EngineProcess();
    engine.networkNamespace = host;
    await engine.start();
    await docker('network', 'create', 'one');
    await docker('run', '-d', '--name', 'peer', '--network', 'one', BASE, 'perl', '-e', greeter(80));
    await docker('run', '-d', '--name', 'friend', '--network', 'one', BASE, 'sleep', '1000');
    await docker('run', '-d', '--name', 'stranger', BASE, 'sleep', '1000');
    [stranger, friend] = (await Promise.all(['stranger', 'friend'].map(pidOf))) as [number, number];
    peer = await docker('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'peer');
  });
  after(async () => {
    if (!engine) return;
    await engine.remove();
    server.kill();
    for (const name of [host, world]) execFileSync('ip', ['netns', 'delete', name]);
  });

  function makeHost(): void {
    const ip = (...args: string[]) => execFileSync('ip', args);
    for (const name of [host, world]) ip('netns', 'add', name);
    for (const name of [host, world]) ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('-n', host, 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', world);
    ip('-n', host, 'address', 'add', `${prefix}.5/30`, 'dev', 'up0');
    ip('-n', world, 'address', 'add', `${worldAddress}/30`, 'dev', 'eth0');
    ip('-n', host, 'link', 'set', 'up0', 'up');
    ip('-n', world, 'link', 'set', 'eth0', 'up');
  }

  /** Runs a program on that host. */
  function onHost(...argv: string[]): string {
    return execFileSync('nsenter', [`--net=/run/netns/${host}`, ...argv], { encoding: 'utf8' });
  }
  const docker = async (...args: string[]) => (await engine.output(...args)).trim();
  const pidOf = async (name: string) => Number(await docker('inspect', '-f', '{{.State.Pid}}', name));

  /** What a process in the container's network hears; tried until it is what is expected, or for some seconds. */
  async function hears(pid: number, address: string, expected: 'hello' | 'unreachable'): Promise<void> {
    const script = `exec 3<>/dev/tcp/${address}/80 && cat <&3`;
    let heard = '';
    for (let tries = 0; tries < 6 && heard !== expected; tries++) {
      if (tries > 0) await sleep(300);
      try {
        const argv = [`--net=/proc/${pid}/ns/net`, 'timeout', '1', 'bash', '-c', script];
        heard = execFileSync('nsenter', argv, {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        }).trim();
      } catch {
        heard = 'unreachable';
      }
    }
    assert.equal(heard, expected);
  }

  /** As Docker and ufw leave a host: what nobody allows is dropped. */
  function raiseWalls(): void {
    for (const chain of ['FORWARD', 'INPUT']) onHost('iptables', '-P', chain, 'DROP');
    onHost('iptables', '-A', 'INPUT', '-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED', '-j', 'ACCEPT');
    onHost('iptables', '-N', 'DOCKER-USER');
    onHost('iptables', '-I', 'FORWARD', '-j', 'DOCKER-USER');
  }

  it('reach the world, each other, and their name server when those drop by default', async () => {
    await hears(stranger, worldAddress, 'hello');
    raiseWalls();
    await hears(stranger, worldAddress, 'hello');
    await hears(friend, peer, 'hello');
    assert.match(await docker('exec', 'friend', 'getent', 'hosts', 'peer'), new RegExp(peer));
    await hears(stranger, peer, 'unreachable');
    // The user's own rules come first.
    assert.match(
      onHost('iptables', '-S', 'FORWARD'),
      /DOCKER-USER\n.*-A FORWARD -i v\S+ .*paas_\w+ -j ACCEPT\n.*paas/s,
    );
    onHost('iptables', '-A', 'DOCKER-USER', '-d', worldAddress, '-j', 'DROP');
    await hears(stranger, worldAddress, 'unreachable');
    onHost('iptables', '-F', 'DOCKER-USER');
    await hears(stranger, worldAddress, 'hello');
  });

  it('would not without our rules in theirs, which come back with the runtime', async () => {
    await engine.end('SIGKILL');
    for (const chain of ['FORWARD', 'INPUT']) onHost('iptables', '-F', chain);
    await hears(stranger, worldAddress, 'unreachable');
    await engine.start();
    await hears(stranger, worldAddress, 'hello');
  });

  it('stay apart when somebody flushes all rules', async () => {
    await engine.end('SIGKILL');
    onHost('nft', 'flush', 'ruleset');
    await hears(stranger, peer, 'hello');
    await engine.start();
    await hears(stranger, peer, 'unreachable');
    onHost('nft', 'flush', 'ruleset');
    await hears(stranger, peer, 'unreachable');
    await hears(friend, peer, 'hello');
    await hears(stranger, worldAddress, 'hello');
  });

  it('leave nothing of theirs there in the end', async () => {
    raiseWalls();
    await hears(stranger, worldAddress, 'hello');
    await Promise.all(
      Array.from({ length: 8 }, () => docker('run', '-d', '--network', 'one', BASE, 'sleep', '99')),
    );
    // At once, while the last containers' traces are being removed.
    await engine.removeContainers();
    await engine.end('SIGTERM');
    assert.doesNotMatch(onHost('nft', 'list', 'ruleset'), /paas_/);
    assert.match(onHost('iptables', '-S', 'FORWARD'), /DOCKER-USER/);
    await engine.start();
  });
});
