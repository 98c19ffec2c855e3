import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { Instance, whyNot } from './instance.ts';

describe('health checks', function () {
  this.timeout(240_000);
  let paas: Instance;
  let folder: string;

  before(async function () {
    if (whyNot()) return this.skip();
    paas = await Instance.start();
    folder = await paas.checkout('node-checked', 'checked');
    await paas.deploy(folder);
  });

  after(async () => {
    await paas?.remove();
  });

  it('are listed, and can be run by hand', async () => {
    assert.match(await paas.paas('checks -a checked'), /^liveness +liveness check +\/alive +below 400/m);
    assert.match(await paas.paas('checks:run -a checked'), /^web\.1 +startup check +ok$/m);
  });

  it('of the type liveness restart a dyno that hangs', async () => {
    await paas.get('checked', '/break?alive');
    await paas.waitForLog('checked', /liveness check failed 2 times: status 500/, { flags: '-d web.1' });
    await paas.waitForLog('checked', /State changed from up to crashed/, { flags: '-d web.1' });
    await eventually(async () => (await paas.ssh('checks:run -a checked')).status === 0);
    assert.equal((await paas.get('checked')).status, 200);
  });

  it('of the type readiness take a dyno out of the list and put it back', async () => {
    await paas.paas('ps:scale web=2 -a checked');
    await paas.get('checked', '/break?ready');
    await paas.waitForLog('checked', /readiness check failed 1 time: status 500/, { flags: '-s paas' });
    const pages = await Promise.all(Array.from({ length: 20 }, () => paas.get('checked')));
    assert.deepEqual([...new Set(pages.map(({ status }) => status))], [200]);
    const checks = await paas.ssh('checks:run -a checked');
    assert.equal(checks.status, 1);
    const broken = /^(web\.\d) +readiness check +status 500$/m.exec(checks.stdout)![1]!;
    const lines = (await paas.paas('logs -a checked -d router -n 20')).trim().split('\n');
    const unready = lines.filter((line) => line.includes('path="/"') && line.includes(`dyno=${broken}`));
    assert.deepEqual(unready, []);
  });

  it('that are set by command hold at once, over those of app.json, until they are unset', async () => {
    await paas.paas(
      'checks:set readiness --path /nowhere --status 599 --attempts 1 --wait 0.2 --timeout 1 -a checked',
    );
    assert.match(
      await paas.paas('checks -a checked'),
      /^readiness +readiness check +\/nowhere +599 .*command$/m,
    );
    assert.match(await paas.paas('checks -a checked'), /^liveness .*app\.json$/m);
    await paas.waitForLog('checked', /readiness check failed 1 time: status \d+/, { flags: '-s paas' });
    assert.equal((await paas.ssh('checks:run -a checked')).status, 1);
    await paas.paas('checks:unset "readiness check" -a checked');
    assert.match(await paas.paas('checks -a checked'), /^readiness .*app\.json$/m);
    await eventually(async () => (await paas.get('checked')).status === 200);
    const wrong = await paas.ssh('checks:set readiness --path nowhere -a checked');
    assert.equal(wrong.status, 2);
    assert.match(wrong.stderr, /--path must begin with "\/"/);
    assert.equal((await paas.ssh('checks:unset nothing -a checked')).status, 3);
  });

  it('of the type startup refuse a push whose dynos do not pass, and the old release serves on', async () => {
    const app = { healthchecks: { web: [{ path: '/health', content: 'splendid', attempts: 2, wait: 0.1 }] } };
    paas.write(folder, 'app.json', JSON.stringify(app));
    await paas.commit(folder, 'cannot start');
    const { status, stderr } = await paas.push(folder);
    assert.equal(status, 1);
    assert.match(stderr, /web\.\d failed its startup check .*\/health.*does not contain "splendid"/);
    assert.match(stderr, /Push rejected/);
    await paas.waitForLog('checked', /Startup check failed: .*does not contain "splendid"/, {
      flags: '-s paas',
    });
    assert.equal((await paas.get('checked')).status, 200);
  });
});

async function eventually(condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await condition()); tries += 1) {
    assert.ok(tries < 60, 'it never came true');
    await sleep(500);
  }
}
