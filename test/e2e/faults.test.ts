import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { Instance, whyNot } from './instance.ts';

describe('faults', function () {
  this.timeout(240_000);
  let paas: Instance;
  let folder: string;

  before(async function () {
    if (whyNot()) return this.skip();
    paas = await Instance.start();
    folder = await paas.checkout('node-plain', 'plain');
    await paas.deploy(folder);
    await paas.paas(`config:set INSTANCE=${paas.folder} -a plain`);
  });

  after(async () => {
    await paas?.remove();
  });

  const until = async (what: string, check: () => Promise<boolean>, milliseconds = 20_000) => {
    for (const end = Date.now() + milliseconds; !(await check().catch(() => false)); await sleep(100)) {
      if (Date.now() > end)
        throw new Error(`Not within ${milliseconds} ms: ${what}\n${paas.log.slice(-3000)}`);
    }
  };
  const answersCommands = () =>
    until('commands are answered', async () => (await paas.ssh('apps')).status === 0);

  /** An app whose push ends long after its release serves. */
  const slowAfterwards = async () => {
    const app = `after${slowApps++}`;
    const checkout = await paas.checkout('node-plain', app);
    await paas.deploy(checkout);
    paas.write(checkout, 'app.json', JSON.stringify({ scripts: { dokku: { postdeploy: 'sleep 60' } } }));
    await paas.commit(checkout, 'slow afterwards');
    return { checkout, app };
  };
  let slowApps = 0;
  const startPush = (cwd: string, flags: string[]) =>
    spawn('git', ['push', ...flags, 'paas', 'main'], {
      cwd,
      env: paas.gitEnvironment(),
      stdio: 'ignore',
      detached: true,
    });

  const hasBuild = async (app: string, state: RegExp) => {
    const builds: { state: string }[] = JSON.parse(await paas.paas(`builds -a ${app} --json`));
    return builds.some((build) => state.test(build.state));
  };

  it('kill -9 of control: no failed request, and it is back', async () => {
    const load = await paas.countFailures('plain', { perSecond: 200 }, async () => {
      await paas.kill('control');
      await answersCommands();
    });
    assert.deepEqual(load.failures, []);
    assert.match(await paas.paas('ps -a plain'), /web\.1: up/);
  });

  it('what a build said goes at the next start, where the build is gone with its app', async () => {
    const outputs = join(paas.environment.PAAS_DATA!, 'control', 'logs', '.builds');
    writeFileSync(join(outputs, '999999.log'), 'of an app whose removal was cut off');
    await paas.kill('control');
    await answersCommands();
    assert.ok(!readdirSync(outputs).includes('999999.log'));
    assert.match(await paas.paas('builds:output -a plain'), /Node\.js app detected/);
  });

  it('kill -9 of the runtime: no failed request, containers run on and are found again', async () => {
    const before = await paas.paas('ps -a plain --json');
    const load = await paas.countFailures('plain', { perSecond: 200 }, async () => {
      await paas.kill('runtime');
      await until('one-off dynos start', async () => (await paas.ssh('run -a plain -- true')).status === 0);
    });
    assert.deepEqual(load.failures, []);
    assert.equal(await paas.paas('ps -a plain --json'), before);
    paas.write(folder, 'version.txt', 'after the runtime');
    await paas.commit(folder, 'after the runtime');
    await paas.deploy(folder);
    assert.match((await paas.get('plain')).body, /after the runtime/);
  });

  it('a dyno that ends while the runtime is away is seen and started again', async () => {
    await paas.kill('runtime');
    const pid = findProcess(paas, 'server.js');
    process.kill(pid, 'SIGKILL');
    await until(
      'the dyno answers again',
      async () => (await paas.get('plain')).status === 200 && findProcess(paas, 'server.js') !== pid,
    );
    await paas.waitForLog('plain', /web\.1\]: State changed from up to crashed/, {
      flags: '-d web.1 -s paas',
    });
  });

  it('kill -9 of the router: it listens again within 1 s', async () => {
    await paas.kill('router');
    const began = Date.now();
    await until('the router answers', async () => (await paas.get('plain')).status === 200, 5000);
    assert.ok(Date.now() - began < 1000, `${Date.now() - began} ms`);
  });

  it('kill -9 of control in mid-build: the pusher gets an error, the build is marked failed, the next push works', async () => {
    const slow = await paas.checkout('node-plain', 'slow');
    paas.write(
      slow,
      'package.json',
      JSON.stringify({ scripts: { start: 'node server.js', build: 'sleep 60' } }),
    );
    await paas.commit(slow, 'slow build');
    const push = paas.push(slow);
    await until('the build runs', () => hasBuild('slow', /building/), 60_000);
    await sleep(500);
    await paas.kill('control');
    assert.notEqual((await push).status, 0);
    await answersCommands();
    const [build] = JSON.parse(await paas.paas('builds -a slow --json'));
    assert.equal(build.state, 'failed');
    paas.write(slow, 'package.json', JSON.stringify({ scripts: { start: 'node server.js' } }));
    await paas.commit(slow, 'quick');
    await paas.deploy(slow);
    assert.equal((await paas.get('slow')).status, 200);
  });

  for (const [fault, strike] of [
    ['control is killed', () => paas.kill('control')],
    ['the client goes away', (push: ChildProcess) => process.kill(-push.pid!, 'SIGINT')],
  ] as const) {
    it(`${fault} when the release serves already: the branch is at what serves, forced or not`, async () => {
      const { checkout, app } = await slowAfterwards();
      for (const version of ['second', 'forced']) {
        if (version === 'forced') await paas.git(checkout, 'reset', '-q', '--hard', 'HEAD~1');
        paas.write(checkout, 'version.txt', `${fault} ${version}`);
        await paas.commit(checkout, version);
        const push = startPush(checkout, version === 'forced' ? ['-f'] : []);
        await until('it serves', async () => (await paas.get(app)).body.includes(version), 60_000);
        assert.equal(push.exitCode, null);
        await strike(push);
        await until('the push is over', async () => push.exitCode !== null || push.signalCode !== null);
        await answersCommands();
        const head = (await paas.git(checkout, 'rev-parse', 'HEAD')).stdout.trim();
        await until('the branch is there', async () =>
          (await paas.git(checkout, 'ls-remote', 'paas', 'main')).stdout.startsWith(head),
        );
        assert.match((await paas.push(checkout)).stderr, /Everything up-to-date/);
      }
      await paas.git(checkout, 'fetch', '-q', 'paas');
      await paas.git(checkout, 'fsck', '--full', '--strict', 'paas/main');
      paas.write(checkout, 'app.json', '{}');
      await paas.commit(checkout, 'after it');
      await paas.deploy(checkout);
    });
  }

  it('a client that goes away in mid-build cancels the build', async () => {
    paas.write(
      folder,
      'package.json',
      JSON.stringify({ scripts: { start: 'node server.js', build: 'sleep 60' } }),
    );
    await paas.commit(folder, 'slow build');
    const push = startPush(folder, []);
    await until('the build runs', () => hasBuild('plain', /building/), 60_000);
    process.kill(-push.pid!, 'SIGINT');
    await until(
      'the build is cancelled',
      async () => JSON.parse(await paas.paas('builds -a plain --json'))[0].state === 'cancelled',
    );
    assert.equal((await paas.get('plain')).status, 200);
    await paas.git(folder, 'reset', '-q', '--hard', 'HEAD~1');
  });

  it('Redis gone with all it held: apps, releases and settings are untouched, and the next push works', async () => {
    await paas.kill('redis');
    paas.write(folder, 'version.txt', 'after redis');
    await paas.commit(folder, 'after redis');
    await paas.deploy(folder);
    assert.match((await paas.get('plain')).body, /after redis/);
  });

  const slowPush = async (app: string) => {
    const checkout = await paas.checkout('node-plain', app);
    paas.write(
      checkout,
      'package.json',
      JSON.stringify({ scripts: { start: 'node server.js', build: 'sleep 8' } }),
    );
    paas.write(checkout, 'version.txt', app); // else the step is known from another app
    await paas.commit(checkout, 'slow build');
    const pushed = paas.push(checkout);
    await until('the build is there', () => hasBuild(app, /building|queued/), 60_000);
    return { checkout, pushed };
  };

  it('Redis gone while a build waits in line: the build comes back and ends well', async () => {
    const { availableParallelism } = await import('node:os');
    const pushes = [];
    for (let index = 0; index <= availableParallelism(); index += 1)
      pushes.push(await slowPush(`queued${index}`));
    assert.ok(await hasBuild(`queued${pushes.length - 1}`, /queued/));
    await paas.kill('redis');
    for (const { pushed } of pushes) assert.equal((await pushed).status, 0, (await pushed).stderr);
    assert.match((await pushes.at(-1)!.pushed).stderr, /Waiting for build #\d+/);
    assert.equal((await paas.get(`queued${pushes.length - 1}`)).status, 200);
  });

  it('SIGTERM stops the platform and leaves the dynos running; the next start takes them up', async () => {
    const pid = findProcess(paas, 'server.js');
    await paas.stopMain();
    process.kill(pid, 0);
    await paas.startMain();
    assert.match(await paas.paas('ps -a plain'), /web\.1: up/);
    assert.equal((await paas.get('plain')).status, 200);
    process.kill(pid, 0);
  });

  it('an app that may idle is not half asleep: a dyno that ended while the platform was away comes back beside the other', async () => {
    await paas.paas('ps:scale web=2 -a plain');
    await paas.paas('ps:idle 15m -a plain');
    const pid = findProcess(paas, 'server.js', 'web.2');
    await paas.stopMain();
    process.kill(pid, 'SIGKILL');
    await paas.startMain();
    await until(
      'both are up',
      async () => (await paas.paas('ps -a plain')).match(/web\.\d: up/g)?.length === 2,
    );
    await paas.paas('ps:idle off -a plain');
    await paas.paas('ps:scale web=1 -a plain');
  });

  it('what a power cut made of files of Redis does not keep the platform from starting', async () => {
    await paas.stopMain();
    const kept = join(paas.environment.PAAS_DATA!, 'redis');
    const files = ['appendonlydir/appendonly.aof.manifest', 'dump.rdb'].map((name) => join(kept, name));
    for (const file of files) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, Buffer.alloc(88));
    }
    await paas.startMain();
    paas.write(folder, 'version.txt', 'after the power cut');
    await paas.commit(folder, 'after the power cut');
    await paas.deploy(folder);
    assert.match((await paas.get('plain')).body, /after the power cut/);
  });
});

/** The host's pid of a process of this instance's app `plain`, told apart by a config var. */
function findProcess(paas: Instance, argument: string, dyno = 'web.1'): number {
  const found = readdirSync('/proc').find(
    (pid) =>
      /^\d+$/.test(pid) &&
      read(`/proc/${pid}/cmdline`).includes(argument) &&
      read(`/proc/${pid}/environ`).includes(`INSTANCE=${paas.folder}\0`) &&
      read(`/proc/${pid}/environ`).includes(`DYNO=${dyno}\0`),
  );
  if (!found) throw new Error(`no process with ${argument} in ${paas.folder}`);
  return Number(found);
}

/** Empty for a process that has just ended. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
