import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { after, before, describe, it } from 'mocha';
import { Random, seedFrom } from '../fixtures/random.ts';
import { ConfigLane, DeployLane, type Lane, ScaleLane } from './control-ledger.ts';
import { Instance, whyNot } from './instance.ts';
import { RouteWatch } from './route-watch.ts';
import { CanaryLane, CertificateLane, CronLane, PreviewLane } from './settings-lanes.ts';

const SEED = seedFrom('KILL_SEED');
const KILLS = Number(process.env.KILLS ?? 3);
/** Then main pauses longer and longer before it starts control again, and is itself started anew. */
const AT_ONCE = 4;
/** Milliseconds that the router may point to a stopped dyno. */
const MOST_MS = 100;

describe(`control that is killed at random moments (KILL_SEED=${SEED} KILLS=${KILLS})`, function () {
  this.timeout(60_000 + KILLS * 60_000);
  let paas: Instance;
  let tries = 0;

  before(async function () {
    if (whyNot()) return this.skip();
    paas = await Instance.start();
  });

  after(async () => {
    await paas?.remove();
  });

  it('what was acknowledged stands, what was not is done or undone, and no visitor notices', async () => {
    const random = new Random(SEED);
    // A second try needs apps of its own.
    const apps = ++tries;
    await killUnder(paas, random, [
      new DeployLane(paas, { app: `deployed-${apps}`, random }),
      new ConfigLane(paas, { app: `configured-${apps}`, random }),
      new ScaleLane(paas, { app: `scaled-${apps}`, random }),
    ]);
  });

  it('so it is of canaries, previews, cron jobs and certificates', async () => {
    const random = new Random(SEED);
    const apps = ++tries;
    const certificates = new CertificateLane(paas, { app: `secured-${apps}`, random });
    try {
      await killUnder(paas, random, [
        new CanaryLane(paas, { app: `tried-${apps}`, random }),
        new PreviewLane(paas, { app: `branched-${apps}`, random }),
        new CronLane(paas, { app: `timed-${apps}`, random }),
        certificates,
      ]);
    } finally {
      certificates.dispose();
    }
  });

  it('control: a route to a stopped dyno is seen, and how long it was there', () => {
    const watch = new RouteWatch(paas);
    void watch.end();
    watch.note(['a', 'b'], new Set(['a']), 1000);
    watch.note(['a', 'b'], new Set(['a']), 1150);
    watch.note(['a'], new Set(['a']), 1200);
    assert.deepEqual(watch.worst, { milliseconds: 150, server: 'b' });
  });
});

async function killUnder(paas: Instance, random: Random, lanes: Lane[]): Promise<void> {
  for (const lane of lanes) await lane.begin();
  let worst = 0;
  let killed = 0;
  // On a slow machine little is acknowledged before a kill: there are some more then.
  while (killed < KILLS || (done(lanes) < KILLS && killed < 5 * KILLS)) {
    const kills = Math.min(AT_ONCE, killed < KILLS ? KILLS - killed : KILLS);
    killed += kills;
    await paas.stopMain();
    await paas.startMain();
    const watch = new RouteWatch(paas);
    const failures = await failuresDuring(paas, lanes, () =>
      killAgainAndAgain(paas, { lanes, random, kills }),
    );
    await watch.end();
    assert.deepEqual(failures, []);
    assert.ok(watch.looks > 10, `${watch.looks} looks`);
    worst = Math.max(worst, watch.worst.milliseconds);
    const where = `the router pointed to ${watch.worst.server} for ${worst} ms after it had stopped`;
    assert.ok(worst <= MOST_MS, where);
  }
  assert.ok(done(lanes) >= KILLS, `only ${done(lanes)} things were acknowledged`);
  console.log(
    `      ${done(lanes)} acknowledged, ${killed} kills, longest route to a stopped dyno ${worst.toFixed(0)} ms`,
  );
  assert.deepEqual(await strays(paas), []);
}

/** How many things were acknowledged. */
function done(lanes: Lane[]): number {
  return lanes.reduce((sum, lane) => sum + lane.done, 0);
}

async function killAgainAndAgain(
  paas: Instance,
  { lanes, random, kills }: { lanes: Lane[]; random: Random; kills: number },
): Promise<void> {
  for (let round = 1; round <= kills; round += 1) {
    let isKilled = false;
    const running = Promise.all(lanes.map((lane) => lane.run(() => isKilled)));
    running.catch(() => {}); // awaited below
    await sleep(random.below(1200));
    isKilled = true;
    for (const lane of lanes) lane.stopped = true;
    await paas.kill('control');
    await running;
    await answersAgain(paas);
    const problems = await Promise.all(lanes.map((lane) => lane.settle()));
    assert.deepEqual(problems.flat(), [], `after kill ${round}`);
  }
}

async function answersAgain(paas: Instance): Promise<void> {
  for (const end = Date.now() + 30_000; (await paas.ssh('apps')).status !== 0; await sleep(50))
    if (Date.now() > end) throw new Error(`control does not come back:\n${paas.log.slice(-3000)}`);
}

/** What visitors of the lanes' apps get that is no answer, while `work` runs. */
async function failuresDuring(paas: Instance, lanes: Lane[], work: () => Promise<void>): Promise<string[]> {
  const visit = lanes.reduce(
    (inner, { app }) =>
      async () => {
        const { failures } = await paas.countFailures(app, { perSecond: 20 }, inner);
        failed.push(...failures.map((text) => `${app}: ${text}`));
      },
    work,
  );
  const failed: string[] = [];
  await visit();
  return failed;
}

/** Containers that no dyno of the record is, once what was being retired has gone. */
async function strays(paas: Instance): Promise<string[]> {
  const docker = new Docker({ socketPath: join(paas.environment.PAAS_RUN!, 'docker.sock') });
  for (const end = Date.now() + 35_000; ; await sleep(100)) {
    const containers = await docker.listContainers({ all: true });
    let wanted = 0;
    const apps: { name: string }[] = JSON.parse(await paas.paas('apps --json'));
    for (const { name: app } of apps) wanted += JSON.parse(await paas.paas(`ps -a ${app} --json`)).length;
    if (containers.length === wanted) return [];
    if (Date.now() > end)
      return containers.map(({ Names, State, Labels }) => `${Names[0]} ${State} ${JSON.stringify(Labels)}`);
  }
}
