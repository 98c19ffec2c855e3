import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { Instance, whyNot } from './instance.ts';

describe('a push', function () {
  this.timeout(240_000);
  let paas: Instance;
  let folder: string;

  before(async function () {
    if (whyNot()) return this.skip();
    paas = await Instance.start();
    folder = await paas.checkout('node-plain', 'plain');
  });

  after(async () => {
    await paas?.remove();
  });

  it("creates the app, builds it and serves it, and says so in Heroku's words", async () => {
    const said = await paas.deploy(folder);
    for (const line of [
      'remote: -----> Building on the Debian 12 stack',
      'remote: -----> Node.js app detected',
      'remote: -----> Discovering process types',
      'remote: -----> Launching',
      'remote:        Released v1',
      `remote:        http://plain.localhost:${paas.httpPort}/ deployed`,
    ]) {
      assert.ok(said.includes(line), `${line}\nis missing in:\n${said}`);
    }
    assert.equal((await paas.get('plain')).status, 200);
  });

  it('serves the new code after a second push, without a failed request', async () => {
    paas.write(folder, 'version.txt', 'two');
    await paas.commit(folder, 'second');
    const load = await paas.countFailures('plain', { perSecond: 200 }, async () => {
      const said = await paas.deploy(folder);
      assert.match(said, /Released v2/);
      assert.match((await paas.get('plain')).body, /two/);
    });
    assert.deepEqual(load.failures, []);
    assert.ok(load.requests > 100);
  });

  it('scales, restarts, configures and rolls back without a failed request', async () => {
    const load = await paas.countFailures('plain', { perSecond: 200 }, async () => {
      assert.match(await paas.say('ps:scale web=3 -a plain'), /now running web at 3/);
      assert.match(await paas.paas('ps -a plain'), /web\.3: up/);
      await paas.paas('ps:restart -a plain');
      assert.match(await paas.say('config:set GREETING=hi -a plain'), /v3/);
      assert.match(await paas.say('ps:scale web=1 -a plain'), /now running web at 1/);
      assert.match(await paas.say('rollback v1 -a plain'), /done, v4/);
    });
    assert.deepEqual(load.failures, []);
    assert.doesNotMatch((await paas.get('plain')).body, /two/);
    assert.equal((await paas.paas('config -a plain --json')).includes('GREETING'), false);
  });

  it('refuses a build that fails, and the old release serves on', async () => {
    const before = (await paas.get('plain')).body;
    paas.write(folder, 'package.json', '{ "name": ');
    await paas.commit(folder, 'broken');
    const outcome = await paas.push(folder);
    assert.equal(outcome.status, 1);
    assert.match(outcome.stderr, / ! {5}.*package\.json/);
    assert.match(outcome.stderr, /Push rejected, failed to compile Node\.js app/);
    assert.match(outcome.stderr, /pre-receive hook declined/);
    assert.equal((await paas.get('plain')).body, before);
    await paas.git(folder, 'reset', '-q', '--hard', 'HEAD~1');
  });

  it('does not deploy another branch', async () => {
    const outcome = await paas.push(folder, 'main:feature');
    assert.equal(outcome.status, 0);
    assert.match(outcome.stderr, /Pushed to non-deploy branch, skipping build/);
  });

  it('runs one-off dynos with their exit status and standard input', async () => {
    const outcome = await paas.ssh('run -a plain -- cat; exit 7', { stdin: 'line\n' });
    assert.equal(outcome.stdout, 'line\n');
    assert.equal(outcome.status, 7);
  });

  it('gives each dyno a disk of PAAS_DISK_LIMIT', async () => {
    const outcome = await paas.ssh("run -a plain -- df -k / | awk 'NR==2 {print $2}'");
    const size = Number(outcome.stdout) / 1024 ** 2;
    assert.ok(size > 9 && size <= 10, outcome.stdout);
  });

  it('shows the builds with the time of each stage', async () => {
    const builds = JSON.parse(await paas.paas('builds -a plain --json'));
    const last = builds.find((build: { state: string }) => build.state === 'succeeded');
    const info = await paas.paas(`builds:info ${last.id}`);
    for (const stage of ['queue', 'plan', 'build', 'boot']) assert.match(info, new RegExp(stage));
  });

  it("collects the output of dynos, router and platform in the app's log", async () => {
    await paas.waitForLog('plain', /paas\[web\.1\]: State changed from starting to up/, {
      flags: '-d web.1 -s paas',
    });
    await paas.waitForLog('plain', /paas\[router\]: at=info method=GET path="\/" host=plain\.localhost/, {
      flags: '-d router',
    });
    await paas.waitForLog('plain', /app\[api\]: Release v2 created: Deploy \w+ by user admin/);
    await paas.waitForLog('plain', /app\[web\.1\]: /);
  });

  it('is gone with all it had after apps:destroy', async () => {
    await paas.paas('apps:destroy plain --confirm plain');
    assert.equal((await paas.get('plain')).status, 404);
    assert.doesNotMatch(await paas.paas('apps'), /plain/);
  });
});
