// What networks and names cost.
//   starts      one container after another, in the default network and in one with MEMBERS others: what membership adds
//   look-ups    CPU time of the runtime for a name that it knows, and for one that it asks the host's resolver for
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { testSubnet } from '../fixtures/test-subnet.ts';
import { BASE, EngineProcess } from '../system/engine-process.ts';
import { WorldServer } from '../system/world-server.ts';
import { median } from './figures/statistics.ts';

const MEMBERS = Number(process.env.MEMBERS ?? 200);
const STARTS = Number(process.env.STARTS ?? 50);
const QUESTIONS = 1200;
/** Asks as often as containers may, and prints how long each answer took (microseconds, median). */
const ASKER = `use IO::Socket::INET; use Time::HiRes qw(time usleep); my ($name, $count) = @ARGV;
my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => "169.254.1.1", PeerPort => 53); my @took;
for my $id (1 .. $count) { my $t = time; $s->send(pack("nnnnnn", $id, 256, 1, 0, 0, 0) . join("", map { chr(length) . $_ } split /[.]/, $name) . pack("Cnn", 0, 1, 1));
$s->recv(my $answer, 512); push @took, time - $t; usleep(2500) } @took = sort { $a <=> $b } @took; printf "%d", 1e6 * $took[$count / 2];`;

const world = new WorldServer();
await world.open();
const engine = new EngineProcess(testSubnet('runtime', 23));
await engine.start();
try {
  await docker('network', 'create', 'crowd');
  console.log(`one start (median of ${STARTS}), default network: ${(await starts('bridge')).toFixed(1)} ms`);
  console.log(`  in an empty network: ${(await starts('crowd')).toFixed(1)} ms`);
  await Promise.all(Array.from({ length: MEMBERS }, () => start('crowd')));
  console.log(`  in a network with ${MEMBERS} others: ${(await starts('crowd')).toFixed(1)} ms`);
  await docker(
    'run',
    '-d',
    '--name',
    'asker',
    '--network',
    'crowd',
    '--dns',
    world.address,
    BASE,
    'sleep',
    '1000',
  );
  await lookUps('asker');
  await lookUps('world.example');
} finally {
  await engine.remove();
  world.close();
}

async function starts(network: string): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < STARTS; count++) times.push(await start(network));
  return median(times);
}

/** Milliseconds from the call to the running process. */
async function start(network: string): Promise<number> {
  const container = await engine.docker.createContainer({
    Image: BASE,
    Cmd: ['sleep', '1000'],
    HostConfig: { NetworkMode: network },
  });
  const began = performance.now();
  await container.start();
  return performance.now() - began;
}

async function lookUps(name: string): Promise<void> {
  await sleep(1000);
  const before = cpuMilliseconds();
  const took = await docker('exec', 'asker', 'perl', '-e', ASKER, name, String(QUESTIONS));
  const each = (cpuMilliseconds() - before) / QUESTIONS;
  console.log(
    `look-up of ${name}: answered after ${took} µs (median), ${each.toFixed(3)} ms of the runtime's CPU time`,
  );
}

function cpuMilliseconds(): number {
  const fields = readFileSync(`/proc/${engine.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticks;
}

async function docker(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await engine.client(...args);
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}
