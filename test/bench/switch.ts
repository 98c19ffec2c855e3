// Does anybody notice? A steady load while an app is deployed, rolled back and scaled, gets canaries, and while each process of the platform is
// restarted, half of the times (but for the router) by kill -9. Counts requests that failed, and answers of a release that had been
// retired before the request was sent.
//
//   PER_SECOND=500 DEPLOYS=50 ROLLBACKS=50 SCALES=50 CANARIES=20 RESTARTS=10 npm run bench switch
//   PAAS_ROUTERS=2 DEPLOYS=0 ROLLBACKS=0 SCALES=0 RESTARTS=0 npm run bench switch     a part of it, with two routers

import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { get, Instance, type ProcessName } from '../e2e/instance.ts';
import { median, percentile } from './figures/statistics.ts';

const PER_SECOND = Number(process.env.PER_SECOND ?? 500);
const DEPLOYS = Number(process.env.DEPLOYS ?? 50);
const ROLLBACKS = Number(process.env.ROLLBACKS ?? 50);
const SCALES = Number(process.env.SCALES ?? 50);
const CANARIES = Number(process.env.CANARIES ?? 20);
const RESTARTS = Number(process.env.RESTARTS ?? 10);
const PROCESSES = (process.env.PROCESSES ?? 'control,runtime,redis,router').split(',') as ProcessName[];
const APP = 'switch';

/** A request that was answered: when it was sent, and by which version. */
interface Answer {
  sentAt: number;
  version: string;
}

class Load {
  readonly answers: Answer[] = [];
  readonly failures: string[] = [];
  #pending = new Set<Promise<void>>();
  #timer: NodeJS.Timeout;

  constructor(paas: Instance) {
    const began = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      const due = ((performance.now() - began) / 1000) * PER_SECOND;
      for (; sent < due; sent += 1) this.#send(paas);
    }, 5);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
  }

  #send(paas: Instance): void {
    const sentAt = performance.now();
    const done = get(paas.httpPort, { path: '/', headers: { host: `${APP}.localhost` } })
      .then(
        ({ status, body }) => {
          if (status === 200) this.answers.push({ sentAt, version: body.trim() });
          else this.failures.push(`${status} ${body.slice(0, 100)}`);
        },
        (error) => void this.failures.push(String(error)),
      )
      .finally(() => this.#pending.delete(done));
    this.#pending.add(done);
  }
}

/** From when on only one version may answer, and until when. */
interface Reign {
  version: string;
  from: number;
  until: number;
}

const reigns: Reign[] = [];
const paas = await Instance.start();
try {
  await run();
} finally {
  await paas.remove();
}

async function run(): Promise<void> {
  const folder = await paas.checkout('node-plain', APP);
  // There is something to roll back to.
  for (const version of ['v-first', 'v-second']) await deploy(folder, version);
  const load = new Load(paas);
  await phase('deploys', DEPLOYS, (turn) => deploy(folder, `v-${turn}`), load);
  await phase('rollbacks', ROLLBACKS, () => rollBack(), load);
  await phase('scales', SCALES, (turn) => paas.paas(`ps:scale web=${1 + (turn % 3)} -a ${APP}`), load);
  if (CANARIES > 0) await paas.paas(`releases:canary 50% -a ${APP}`);
  await phase('canaries', CANARIES, (turn) => canary(folder, turn), load);
  for (const name of PROCESSES)
    await phase(`restarts of ${name}`, RESTARTS, (turn) => restart(name, turn), load);
  await load.end();
  const stale = load.answers.filter(isStale);
  console.log(`\n${load.answers.length + load.failures.length} requests at ${PER_SECOND}/s`);
  console.log(`failed:                             ${load.failures.length}`);
  console.log(`answered by a retired release:      ${stale.length}`);
  const byCanaries = load.answers.filter(({ version }) => version.startsWith('canary-')).length;
  if (CANARIES > 0) console.log(`answered by canaries:               ${byCanaries}`);
  for (const failure of new Set(load.failures)) console.log(`  ${failure}`);
  if (load.failures.length + stale.length > 0) process.exitCode = 1;
}

async function deploy(folder: string, version: string): Promise<void> {
  paas.write(folder, 'version.txt', version);
  await paas.commit(folder, version);
  await switching(async () => {
    await paas.deploy(folder);
    return version;
  });
}

/** Half of the visitors get it for a while; then all of them, or, every second time, nobody. */
async function canary(folder: string, turn: number): Promise<void> {
  const version = `canary-${turn}`;
  const before = reigns.at(-1)!.version;
  paas.write(folder, 'version.txt', version);
  await paas.commit(folder, version);
  await switching(async () => {
    await paas.deploy(folder);
    await sleep(200);
    await paas.paas(`releases:${turn % 2 === 0 ? 'promote' : 'abort'} -a ${APP}`);
    return turn % 2 === 0 ? version : before;
  });
}

async function rollBack(): Promise<void> {
  await switching(async () => {
    await paas.paas(`rollback -a ${APP}`);
    return (await paas.get(APP)).body.trim();
  });
}

/** From the change on until it is acknowledged any of both may answer; then only the new one. */
async function switching(change: () => Promise<string>): Promise<void> {
  const last = reigns.at(-1);
  if (last) last.until = performance.now();
  const version = await change();
  reigns.push({ version, from: performance.now(), until: Number.POSITIVE_INFINITY });
}

function isStale({ sentAt, version }: Answer): boolean {
  const reign = reigns.find(({ from, until }) => sentAt >= from && sentAt < until);
  return reign !== undefined && reign.version !== version;
}

async function restart(name: ProcessName, turn: number): Promise<void> {
  const pid = paas.pid(name);
  process.kill(pid, turn % 2 === 0 || name === 'router' ? 'SIGTERM' : 'SIGKILL');
  // Main starts what dies again and again with longer and longer pauses, up to half a minute.
  while (existsSync(`/proc/${pid}`)) await sleep(5);
  for (let tries = 0; tries < 2000 && !isBack(name, pid); tries += 1) await sleep(20);
  await sleep(500);
}

function isBack(name: ProcessName, before: number): boolean {
  try {
    return paas.pid(name) !== before;
  } catch {
    return false;
  }
}

async function phase(
  title: string,
  count: number,
  step: (turn: number) => Promise<unknown>,
  load: Load,
): Promise<void> {
  const [failed, answered] = [load.failures.length, load.answers.length];
  const took: number[] = [];
  for (let turn = 0; turn < count; turn += 1) {
    const began = performance.now();
    await step(turn);
    took.push(performance.now() - began);
  }
  if (count === 0) return;
  const times = `median ${median(took).toFixed(0)} ms, p95 ${percentile(took, 95).toFixed(0)} ms`;
  const requests = load.answers.length - answered;
  console.log(
    `${`${count} ${title}`.padEnd(24)} ${times.padEnd(34)} ${requests} answered, ${load.failures.length - failed} failed`,
  );
}
