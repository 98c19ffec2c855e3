import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { Instance, type Outcome, whyNot } from './instance.ts';

describe('builds in line', function () {
  this.timeout(240_000);
  let paas: Instance;

  before(async function () {
    if (whyNot()) return this.skip();
    paas = await Instance.start();
  });

  after(async () => {
    await paas?.remove();
  });

  const builds = async (
    app: string,
  ): Promise<{ id: number; state: string; reason: string; ahead: number }[]> =>
    (await paas.ssh(`apps:info -a ${app}`)).status === 0
      ? JSON.parse(await paas.paas(`builds -a ${app} --json`))
      : [];
  const until = async (what: string, check: () => boolean | Promise<boolean>) => {
    for (const end = Date.now() + 30_000; !(await check()); await sleep(100))
      if (Date.now() > end) throw new Error(`Not within 30 s: ${what}\n${paas.log.slice(-3000)}`);
  };
  /** A checkout whose build takes so many seconds. */
  const checkout = async (app: string, seconds: number) => {
    const folder = await paas.checkout('node-plain', app);
    await change(folder, `${app}: first`, seconds);
    return folder;
  };
  const change = async (folder: string, version: string, seconds: number) => {
    // Its text is in the step, else that is known from another app.
    const scripts = { start: 'node server.js', build: `sleep ${seconds}; : ${version}` };
    paas.write(folder, 'package.json', JSON.stringify({ scripts }));
    paas.write(folder, 'version.txt', version);
    await paas.commit(folder, version);
  };
  /** A push, and what it has said so far. */
  const begin = (folder: string, ref = 'main') => {
    const child = spawn('git', ['push', 'paas', ref], {
      cwd: folder,
      env: paas.gitEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    const ended = new Promise<number | null>((resolve) => {
      child.on('close', resolve);
    });
    const push = { said: '', ended, pid: child.pid! };
    child.stderr.on('data', (chunk) => {
      push.said += chunk;
    });
    return push;
  };
  const isBuilding = (app: string) =>
    until(`${app} builds`, async () => (await builds(app))[0]?.state === 'building');

  it('a newer push replaces the one that waits, whose pusher is told; the newest is deployed', async () => {
    const folder = await checkout('twice', 3);
    const first = begin(folder);
    await isBuilding('twice');
    await change(folder, 'second', 0);
    const second = begin(folder);
    await until('the second waits', () => second.said.includes('Waiting for build #'));
    assert.match(
      await paas.say('builds -a twice'),
      /A push of main to twice by admin waits for the one before/,
    );
    await change(folder, 'third', 0);
    const third = begin(folder);
    assert.equal(await second.ended, 1);
    assert.match(second.said, / ! {5}Replaced by a newer push of main by admin\./);
    assert.match(second.said, /\[remote rejected\] main -> main \(pre-receive hook declined\)/);
    assert.equal((await builds('twice'))[0]!.state, 'building'); // the first goes on
    assert.equal(await first.ended, 0, first.said);
    assert.equal(await third.ended, 0, third.said);
    assert.match(third.said, /remote: -----> Waiting for build #\d+ of app "twice"/);
    assert.match((await paas.get('twice')).body, /third/);
    const there = await paas.git(folder, 'ls-remote', 'paas', 'main');
    assert.equal(there.stdout.split('\t')[0], (await paas.git(folder, 'rev-parse', 'HEAD')).stdout.trim());
  });

  it('a push that waited is refused when it does not hold what was deployed meanwhile', async () => {
    const folder = await checkout('apart', 4);
    const other = await checkout('apart', 0);
    const first = begin(folder);
    await isBuilding('apart');
    const second = begin(other);
    assert.equal(await first.ended, 0, first.said);
    assert.equal(await second.ended, 1);
    assert.match(
      second.said,
      /main is at [0-9a-f]{8} since another push, which is not part of this one\. Fetch it/,
    );
    assert.match((await paas.get('apart')).body, /apart: first/);
  });

  it('says its place in line, lets another app finish first, and can be cancelled and replaced while it waits', async () => {
    const folders: string[] = [];
    for (let index = 0; index < availableParallelism(); index += 1)
      folders.push(await checkout(`busy${index}`, 6));
    const running = folders.map((folder) => begin(folder));
    for (const index of folders.keys()) await isBuilding(`busy${index}`);
    const waiting = await checkout('waiting', 0);
    const first = begin(waiting);
    await until('it is in line', async () => (await builds('waiting'))[0]?.state === 'queued');
    assert.equal((await builds('waiting'))[0]!.ahead, availableParallelism());
    assert.match(
      await paas.paas('builds -a waiting'),
      new RegExp(`queued \\(${availableParallelism()} ahead\\)`),
    );
    assert.match(first.said, /Waiting for build #\d+ of app "busy\d"/);
    await change(waiting, 'newer', 0);
    const second = begin(waiting);
    assert.equal(await first.ended, 1);
    assert.match(first.said, /Replaced by a newer push of main by admin/);
    await until('the newer is in line', async () => (await builds('waiting'))[0]?.state === 'queued');
    const [build, replaced] = await builds('waiting');
    assert.match(`${replaced!.state}: ${replaced!.reason}`, /^cancelled: Replaced by a newer push/);
    await paas.paas(`builds:cancel ${build!.id}`);
    assert.equal(await second.ended, 1);
    assert.match(second.said, /Cancelled by admin/);
    const third = begin(waiting);
    await until('the third is in line', async () => (await builds('waiting'))[0]?.state === 'queued');
    process.kill(-third.pid, 'SIGINT');
    await until('its pusher has gone', async () => (await builds('waiting'))[0]?.state === 'cancelled');
    for (const push of running) assert.equal(await push.ended, 0, push.said);
    const last: Outcome = await paas.push(waiting);
    assert.equal(last.status, 0, last.stderr);
  });

  it('a build that takes too long fails with the reason', async () => {
    await paas.stopMain();
    paas.environment.PAAS_BUILD_TIMEOUT = '9';
    await paas.startMain();
    const folder = await checkout('endless', 60);
    const outcome = await paas.push(folder);
    assert.equal(outcome.status, 1);
    assert.match(outcome.stderr, /It took longer than 0\.2 minutes, the most that a build may/);
    assert.equal((await builds('endless'))[0]!.state, 'failed');
  });
});
