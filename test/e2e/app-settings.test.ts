import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { after, before, describe, it } from 'mocha';
import { controlGroup, IS_UNIFIED } from '../fixtures/control-group.ts';
import { get, Instance, whyNot } from './instance.ts';

describe('what an operator sets on an app', function () {
  this.timeout(240_000);
  let paas: Instance;

  before(async function () {
    if (whyNot()) return this.skip();
    // Everything here with two routers: who asks does not see which one answers.
    paas = await Instance.start({ PAAS_ROUTERS: '2', PAAS_METRICS: '127.0.0.1:0' });
    await paas.deploy(await paas.checkout('node-plain', 'plain'));
  });

  after(async () => {
    await paas?.remove();
  });

  it('maintenance mode closes the app for visitors, with a page of its own', async () => {
    await paas.paas('maintenance:on -a plain');
    const closed = await paas.get('plain');
    assert.equal(closed.status, 503);
    assert.match(closed.body, /Down for maintenance/);
    await paas.waitForLog('plain', /code=H80 desc="Maintenance mode"/, { flags: '-d router' });
    await paas.ssh('maintenance:on -a plain -', { stdin: '<h1>Zurück um zwölf</h1>' });
    assert.equal((await paas.get('plain')).body, '<h1>Zurück um zwölf</h1>');
    assert.match(await paas.paas('ps -a plain'), /web\.1: up/);
    await paas.paas('maintenance:off -a plain');
    assert.equal((await paas.get('plain')).status, 200);
  });

  it('metrics say how many requests there were, and failed', async () => {
    const before = await metrics(paas);
    for (let turn = 0; turn < 20; turn++) await paas.get('plain');
    // Counts come every ten seconds.
    for (let waited = 0; (await metrics(paas)).requests < before.requests + 20; waited += 250) {
      assert.ok(waited < 20_000, 'no counts came');
      await sleep(250);
    }
    assert.ok((await metrics(paas)).serverErrors >= 2, 'those of the maintenance mode');
    assert.match(await paas.paas('metrics -a plain'), /^last 5 minutes +\d+ +\d\.\d\d +0\.0% +\d+\.\d%/m);
    const text = await (await fetch(`http://${paas.endpoints.metrics}/metrics`)).text();
    assert.match(text, /^paas_requests_total\{app="plain",status="2xx"\} \d\d+$/m);
    assert.match(text, /^paas_requests_in_flight 0$/m);
  });

  it('limits reach the dynos that run, and those that come', async () => {
    await paas.paas('limits:set web --memory 200m --cpu 0.5 -a plain');
    assert.match(await paas.paas('limits -a plain'), /^web +200m +0\.5$/m);
    assert.equal(await memoryLimit(paas, 'plain'), 200 * 1024 ** 2);
    await paas.paas('ps:restart -a plain');
    assert.equal(await memoryLimit(paas, 'plain'), 200 * 1024 ** 2);
    await paas.paas('limits:clear web -a plain');
    assert.equal(await memoryLimit(paas, 'plain'), 1024 ** 3);
  });

  it('the log says when a dyno has used up its memory, and goes on', async () => {
    const folder = await paas.checkout('node-plain', 'full');
    // tail keeps the line that does not end.
    const hog = '{ head -c 63000000 /dev/zero; sleep 600; } | tail -n 1';
    paas.write(folder, 'Procfile', `web: node server.js\nhog: ${hog}\n`);
    await paas.commit(folder, 'hog');
    await paas.deploy(folder);
    await paas.paas('limits:set hog --memory 64m -a full');
    await paas.paas('scale hog=1 web=0 -a full');
    const log = await paas.waitForLog('full', /paas\[hog\.1\]: Error R14 \(Memory quota exceeded\)/, {
      flags: '-d hog.1',
      milliseconds: 60_000,
    });
    assert.match(log, /paas\[hog\.1\]: Process running mem=6\dM\(9\d\.\d%\)/);
    assert.match(await paas.paas('ps -a full'), /hog\.1: up/);
    await paas.paas('limits:set run --memory 32m -a full');
    const killed = await paas.ssh('run -a full -- tail /dev/zero');
    assert.equal(killed.status, 137);
    const advice =
      /took more memory than it may \(32 MB\) and was killed\..*limits:set run --memory 64m -a full/;
    assert.match(killed.stderr, advice);
    const { name } = JSON.parse(await paas.paas('run:detached --json -a full -- tail /dev/zero'));
    await paas.waitForLog('full', /Error R15 \(Memory quota vastly exceeded\)/, { flags: `-d ${name}` });
    paas.write(folder, 'Procfile', 'web: node server.js\nrelease: tail /dev/zero\n');
    await paas.commit(folder, 'greedy release');
    const refused = await paas.push(folder);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr.replaceAll(/\s+remote:\s+!?\s*/g, ' '), advice);
    await paas.paas('apps:destroy full --confirm full');
  });

  it('detached dynos write into the log, survive a restart of control, and can be stopped', async () => {
    const command = 'run:detached -a plain --json';
    const { name } = JSON.parse(await paas.paas(`${command} -- "echo begun; sleep 600"`));
    await paas.waitForLog('plain', /begun/, { flags: `-d ${name}` });
    await paas.kill('control');
    assert.match(await whenBack(() => paas.paas('run:list -a plain')), new RegExp(`${name} +admin`));
    assert.match(await paas.paas('ps -a plain'), new RegExp(`${name}: up`));
    await paas.paas(`run:stop ${name} -a plain`);
    await paas.waitForLog('plain', /Process exited with status/, { flags: `-d ${name}` });
    assert.equal(JSON.parse(await paas.paas('run:list -a plain --json')).length, 0);
    const timed = JSON.parse(await paas.paas(`${command} --timeout 1s -- sleep 600`));
    await paas.waitForLog('plain', /its time is over/, { flags: `-d ${timed.name}` });
  });

  it('cron jobs run in dynos of their own, and their result is kept', async () => {
    await paas.paas('cron:add -a plain "0 3 1 1 *" -- "echo from cron; exit 3"');
    const [job] = JSON.parse(await paas.paas('cron -a plain --json'));
    await paas.paas(`cron:run ${job.id} -a plain`);
    await whenBack(async () => {
      const [after] = JSON.parse(await paas.paas('cron -a plain --json'));
      assert.equal(after.last?.status, 3);
    });
    assert.match(await paas.paas(`cron:output ${job.id} -a plain`), /app\[cron\.\d+\]: from cron/);
    await paas.paas(`cron:suspend ${job.id} -a plain`);
    assert.match(await paas.paas('cron -a plain'), /suspended/);
    await paas.paas(`cron:remove ${job.id} -a plain`);
    assert.deepEqual(JSON.parse(await paas.paas('cron -a plain --json')), []);
  });

  it('an app that idles lets its dyno go, and the next visitor gets his answer', async () => {
    await paas.paas('ps:idle 5s -a plain');
    await whenBack(async () => assert.match(await paas.paas('ps -a plain'), /web\.1: idle/));
    const running = async () => JSON.parse(await paas.paas('apps:info -a plain --json')).state;
    assert.equal(await running(), 'idle');
    const answers = await Promise.all([paas.get('plain'), paas.get('plain'), paas.get('plain')]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    );
    assert.match(await paas.paas('ps -a plain'), /web\.1: up/);
    // Who answers while others sleep would wake none of them.
    await paas.paas('ps:scale web=2 -a plain');
    await whenBack(async () => assert.match(await paas.paas('ps -a plain'), /web\.1: idle/));
    await paas.paas('ps:restart web.2 -a plain');
    await whenBack(async () => assert.match(await paas.paas('ps -a plain'), /web\.1: up[\s\S]*web\.2: up/));
    await paas.paas('ps:scale web=1 -a plain');
    // A port whose packets nobody holds: there is a dyno for them.
    await whenBack(async () => assert.match(await paas.paas('ps -a plain'), /web\.1: idle/));
    const port = 10_000 + (process.pid % 900) * 10 + 8;
    await paas.paas(`ports:add tcp:${port}:web:5000 -a plain`);
    assert.equal((await get(port, { path: '/', headers: {} })).status, 200);
    const sleeps = `after 5 s without a request, but not while tcp:${port} leads to the web dynos: only requests can wake them`;
    assert.equal(await paas.paas('ps:idle -a plain'), `${sleeps}\n`);
    await paas.paas(`ports:remove tcp:${port} -a plain`);
    await paas.paas('ps:idle off -a plain');
    assert.equal(await paas.paas('ps:idle -a plain'), 'off\n');
  });

  it('what the release command says is kept with the release, also where it fails', async () => {
    const folder = await paas.checkout('node-plain', 'released');
    paas.write(folder, 'Procfile', 'web: node server.js\nrelease: echo migrating\n');
    await paas.commit(folder, 'release');
    await paas.deploy(folder);
    assert.equal(await paas.paas('releases:output -a released'), 'migrating\n');
    assert.match(await paas.paas('releases:info -a released'), /^Status: +current$/m);
    paas.write(folder, 'Procfile', 'web: node server.js\nrelease: echo broken; exit 1\n');
    await paas.commit(folder, 'broken');
    assert.equal((await paas.push(folder)).status, 1);
    assert.equal(await paas.paas('releases:output -a released v2'), 'broken\n');
    assert.match(await paas.paas('releases:info -a released v2'), /^Status: +failed/m);
    await paas.waitForLog('released', /app\[release\.1\]: broken/);
  });

  it('the release command runs for config changes and rollbacks too, and can refuse them', async () => {
    const folder = await paas.checkout('node-plain', 'phased');
    paas.write(
      folder,
      'Procfile',
      'web: node server.js\nrelease: echo "colour $COLOUR"; test "$COLOUR" != red\n',
    );
    await paas.commit(folder, 'release');
    await paas.deploy(folder);
    await paas.paas('config:set COLOUR=blue -a phased');
    assert.equal(await paas.paas('releases:output -a phased'), 'colour blue\n');
    const refused = await paas.ssh('config:set COLOUR=red -a phased');
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /nothing was changed.*The release command exited with status 1\./s);
    assert.equal(await paas.paas('config:get COLOUR -a phased'), 'blue\n');
    const trail = await paas.paas('events -n 2 -a phased');
    assert.match(trail, /releases:create: Release v3 created: Set COLOUR config vars\n/);
    assert.match(trail, /releases:fail: Release v3 failed -- The release command exited with status 1\.\n$/);
    assert.equal(await paas.paas('releases:output v3 -a phased'), 'colour red\n');
    await paas.paas('rollback v1 -a phased');
    assert.equal(await paas.paas('releases:output -a phased'), 'colour \n');
  });

  it('commands of app.json run before and after a deploy: their files, their failures, and what is only for the first', async () => {
    const folder = await paas.checkout('node-plain', 'hooked');
    const write = (scripts: object) => paas.write(folder, 'app.json', JSON.stringify({ scripts }));
    write({
      postdeploy: 'echo seeding',
      dokku: {
        predeploy: 'echo "made for $WHOM" > version.txt; echo assets',
        postdeploy: 'echo telling $DYNO',
      },
    });
    await paas.paas('apps:create hooked');
    await paas.paas('config:set WHOM=you -a hooked');
    await paas.commit(folder, 'hooks');
    const first = await paas.deploy(folder);
    assert.match(first, /Running predeploy command: .*assets.*Released v1.*telling postdeploy\.1.*seeding/s);
    assert.match((await paas.get('hooked')).body, /made for you/);
    // Nothing of what only the command's own dyno had is left in the image.
    assert.match(await paas.paas('run -a hooked -- printenv DYNO'), /^run\./);
    assert.equal(
      await paas.paas('run -a hooked -- printenv NODE_ENV PATH'),
      await paas.paas('run -a plain -- printenv NODE_ENV PATH'),
    );
    await paas.paas('config:set WHOM=them -a hooked');
    assert.equal(await paas.paas('releases:output -a hooked'), 'telling postdeploy.1\n');
    write({ dokku: { postdeploy: 'exit 9' } });
    await paas.commit(folder, 'failing after');
    const second = await paas.deploy(folder);
    assert.match(second, / ! {5}The postdeploy command exited with status 9\. v3 serves nevertheless\./);
    write({ dokku: { predeploy: 'exit 8' } });
    await paas.commit(folder, 'failing before');
    const third = await paas.push(folder);
    assert.equal(third.status, 1);
    assert.match(third.stderr, /The predeploy command exited with status 8\./);
    assert.match(await paas.paas('releases:info v4 -a hooked'), /^Status: +failed/m);
    assert.match(await paas.paas('releases -a hooked'), /Current: v3/);
  });

  it('env of app.json makes the config of a new app, or says what is missing', async () => {
    const folder = await paas.checkout('node-plain', 'configured');
    const env = { TITLE: 'Shop', KEY: { generator: 'secret' }, NEEDED: { description: 'by the app' } };
    paas.write(folder, 'app.json', JSON.stringify({ env }));
    await paas.commit(folder, 'env');
    const refused = await paas.push(folder);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /not set: NEEDED\.\s.*config:set NEEDED=… -a configured.*Push rejected/s);
    await paas.paas('config:set NEEDED=x -a configured');
    assert.match(await paas.deploy(folder), /Set config vars of app\.json: TITLE, KEY/);
    const { KEY, ...rest } = JSON.parse(await paas.paas('config -a configured --json'));
    assert.deepEqual(rest, { NEEDED: 'x', TITLE: 'Shop' });
    assert.equal((await paas.ssh('run -a configured -- printenv KEY')).stdout, `${KEY}\n`);
  });

  it('a pushed branch is previewed by an app of its own, until it is deleted', async () => {
    await paas.paas('config:set COLOUR=blue SECRET=x -a plain');
    assert.equal((await paas.ssh('previews:on -a plain --ttl 3')).status, 2);
    await paas.paas('previews:on -a plain --limit 1 --keys COLOUR');
    const folder = await paas.checkout('node-plain', 'plain');
    paas.write(folder, 'version.txt', 'previewed');
    await paas.commit(folder, 'preview');
    const { status, stderr } = await paas.push(folder, 'main:feature');
    assert.equal(status, 0, stderr);
    assert.match(stderr, /Preview of the branch feature: plain-feature/);
    assert.match((await paas.get('plain-feature')).body, /previewed/);
    assert.doesNotMatch((await paas.get('plain')).body, /previewed/);
    assert.deepEqual(JSON.parse(await paas.paas('config -a plain-feature --json')), { COLOUR: 'blue' });
    assert.match(await paas.paas('previews -a plain'), /^plain-feature +feature +up +in /m);
    const second = await paas.push(folder, 'main:other');
    assert.equal(second.status, 1);
    assert.match(second.stderr, /has 1 preview already/);
    assert.equal((await paas.push(folder, ':feature')).status, 0);
    assert.equal((await paas.get('plain-feature')).status, 404);
    await paas.paas('previews:off -a plain');
  });

  it('a pipeline promotes the code of one app to the next, with the config of that one', async () => {
    await paas.paas('apps:create live');
    await paas.paas('config:set COLOUR=red -a live');
    await paas.paas('pipelines:add shop --stage staging -a plain');
    await paas.paas('pipelines:add shop --stage production -a live');
    assert.match(await paas.say('pipelines:promote -a plain'), /Promoting plain to live\.\.\. done, v1/);
    assert.equal((await paas.get('live')).body, (await paas.get('plain')).body);
    const release = JSON.parse(await paas.paas('releases:info -a live --json'));
    assert.deepEqual(release.config, { COLOUR: 'red' });
    assert.match(release.description, /^Promote plain v\d+ [0-9a-f]{8}$/);
    assert.match(await paas.paas('pipelines'), /^shop +production +live +v1$/m);
    const back = await paas.ssh('pipelines:promote -a live');
    assert.match(back.stderr, /No app is in the stage after live's/);
  });

  it('webhooks lead to no address of this machine or its network', async () => {
    for (const url of [
      'http://127.0.0.1:1/',
      'http://localhost/',
      'http://169.254.169.254/latest',
      'http://[::1]/',
    ]) {
      const refused = await paas.ssh(`webhooks:add ${url} -a plain`);
      assert.equal(refused.status, 2, url);
      assert.match(refused.stderr, /which webhooks may not reach/);
    }
    assert.deepEqual(JSON.parse(await paas.paas('webhooks -a plain --json')), []);
  });

  it('the audit trail says who did what, also of an app that is gone', async () => {
    await paas.paas('apps:create other');
    await paas.paas('apps:destroy other --confirm other');
    const trail = await paas.paas('events');
    for (const line of [
      /admin plain apps:create: App created/,
      /admin plain deploy: Deploy [0-9a-f]{8}/,
      /admin plain maintenance:on: /,
      /admin plain limits:set: Limits of web set/,
      /admin plain previews:create: Preview plain-feature made/,
      /admin plain run: Ran `echo begun; sleep 600` in run\.\d+/,
      /admin other apps:destroy: App destroyed/,
    ]) {
      assert.match(trail, line);
    }
  });
});

/** Of the last week. */
async function metrics(paas: Instance): Promise<{ requests: number; serverErrors: number }> {
  return JSON.parse(await paas.paas('metrics -a plain --json')).periods.at(-1);
}

/** Bytes, as the kernel has it for the app's web dyno. */
async function memoryLimit(paas: Instance, app: string): Promise<number> {
  const docker = new Docker({ socketPath: join(paas.environment.PAAS_RUN!, 'docker.sock') });
  const filters = { label: [`paas.app=${app}`, 'paas.type=web'], status: ['running'] };
  const [found] = await docker.listContainers({ filters });
  const { State } = await docker.getContainer(found!.Id).inspect();
  const file = IS_UNIFIED ? 'memory.max' : 'memory.limit_in_bytes';
  return Number(readFileSync(join(controlGroup(State.Pid, 'memory'), file), 'utf8'));
}

async function whenBack<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries > 60) throw error;
    }
    await sleep(500);
  }
}
