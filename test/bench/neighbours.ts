// What an app's visitors notice of a neighbour that wants everything: p99 and errors before and during each attack, in containers of ours and
// of Docker's.
//   sudo npm run bench neighbours [-- --seconds 2] [--rounds 5] [--rate 300] [--attack TEXT]
// By turns without and with the attack, as other load on the machine comes and goes.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type Docker from 'dockerode';
import { requireBaseSystem } from '../../server/host/base-system.ts';
import { ATTACKER_LIMITS, ATTACKS, type Attack, startApp, Visitor } from '../fixtures/neighbours.ts';
import { BASE, EngineProcess, missingForContainers } from '../system/engine-process.ts';
import { percentile } from './figures/statistics.ts';
import { isInstalled } from './peers/command-peers.ts';
import { DockerDaemon } from './peers/docker-daemon.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    rate: { type: 'string', default: '300' },
    attack: { type: 'string', default: '' },
  },
});
const SECONDS = Number(values.seconds);

/** Dockers limit a container's disk on XFS alone: the size of a file has to do. */
const DOCKERS_LIMITS = {
  Memory: ATTACKER_LIMITS.Memory,
  PidsLimit: ATTACKER_LIMITS.PidsLimit,
  ShmSize: ATTACKER_LIMITS.ShmSize,
  Ulimits: [{ Name: 'fsize', Soft: 64 * 1024 ** 2, Hard: 64 * 1024 ** 2 }],
  LogConfig: { Type: 'json-file', Config: { 'max-size': '10m' } },
};

/** Whose containers are neighbours. */
interface Subject {
  name: string;
  docker: Docker;
  image: string;
  limits: Docker.HostConfig;
  address: string;
  before: Visitor[];
  during: Visitor[];
}

const missing = missingForContainers();
if (missing) throw new Error(missing);
const engine = new EngineProcess();
await engine.start();
const daemon = isInstalled('dockerd')
  ? await DockerDaemon.start(mkdtempSync(join(tmpdir(), 'paas-bench-neighbours-')))
  : undefined;
if (!daemon) console.log('docker: skipped, as dockerd is not installed');
daemon?.importImage(requireBaseSystem(), 'base');
try {
  const ours = { name: 'paas', docker: engine.docker, image: BASE, limits: ATTACKER_LIMITS };
  const theirs = { name: 'docker', image: 'base', limits: DOCKERS_LIMITS };
  const subjects = [ours, ...(daemon ? [{ ...theirs, docker: daemon.docker }] : [])];
  const apps = await Promise.all(subjects.map(({ docker, image }) => startApp(docker, image)));
  for (const address of apps) await visit(address);
  for (const attack of ATTACKS.filter(({ name }) => name.includes(values.attack))) {
    const rounds = subjects.map((subject, at) => ({
      ...subject,
      address: apps[at]!,
      before: [],
      during: [],
    }));
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const subject of rounds) await suffer(subject, attack);
    }
    console.log(`${attack.name}: ${rounds.map(inWords).join('; ')}`);
  }
} finally {
  await engine.remove();
  await daemon?.close();
}

async function suffer(subject: Subject, attack: Attack): Promise<void> {
  subject.before.push(await visit(subject.address));
  const attacker = await subject.docker.createContainer({
    Image: subject.image,
    Cmd: ['bash', '-c', attack.script],
    HostConfig: subject.limits,
  });
  await attacker.start();
  await sleep(500);
  subject.during.push(await visit(subject.address));
  await attacker.remove({ force: true });
  await sleep(500);
}

async function visit(address: string): Promise<Visitor> {
  const visitor = new Visitor(address, { perSecond: Number(values.rate) });
  await sleep(SECONDS * 1000);
  await visitor.stop();
  return visitor;
}

function inWords({ name, before, during }: Subject): string {
  const [p99, p99During] = [before, during].map((visits) => percentile(timesOf(visits), 99)) as [
    number,
    number,
  ];
  const errors = during.flatMap((visitor) => visitor.errors).length;
  return (
    `${name} p99 ${p99.toFixed(2)} ms without, ${p99During.toFixed(2)} ms during (${(p99During / p99).toFixed(1)} times), ` +
    `${errors} errors in ${timesOf(during).length} requests`
  );
}

function timesOf(visits: Visitor[]): number[] {
  return visits.flatMap(({ milliseconds }) => milliseconds);
}
