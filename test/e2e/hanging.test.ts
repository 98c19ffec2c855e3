import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { Instance, whyNot } from './instance.ts';

describe('what hangs', function () {
  this.timeout(120_000);
  let paas: Instance;
  let folder: string;

  before(async function () {
    if (whyNot()) return this.skip();
    paas = await Instance.start({ PAAS_WEBHOOK_NETWORKS: '127.0.0.0/8' });
    folder = await paas.checkout('node-plain', 'plain');
    const release = 'if [ -n "$HANG" ]; then echo it hangs; sleep 1000; fi';
    paas.write(
      folder,
      'Procfile',
      `web: if [ -n "$MUTE" ] || [ "$DYNO" = web.2 ]; then sleep 1000; fi; node server.js\nrelease: ${release}\n`,
    );
    await paas.commit(folder, 'hanging');
    await paas.deploy(folder);
  });

  after(async () => {
    await paas?.remove();
  });

  const until = async (what: string, check: () => Promise<boolean>) => {
    for (let tries = 0; !(await check()); tries += 1) {
      if (tries > 100) throw new Error(`Never: ${what}`);
      await sleep(200);
    }
  };
  const says = (command: string, pattern: RegExp) =>
    until(`${command}: ${pattern}`, async () => pattern.test(await paas.paas(command)));

  it('a release command that hangs is seen, and can be stopped: nothing has changed then', async () => {
    const changing = paas.ssh('config:set HANG=1 -a plain');
    await says('ps -a plain', /^release\.1: up/m);
    await says('logs -a plain', /app\[release\.1\]: it hangs/);
    assert.match(await paas.paas('releases -a plain'), /^v2 +Set HANG config vars \(in progress\)/m);
    assert.match(await paas.paas('releases:info v2 -a plain'), /Status: +in progress/);
    await paas.paas('run:stop release.1 -a plain');
    const { status, stderr } = await changing;
    assert.notEqual(status, 0);
    assert.match(stderr, /v2 did not come up, .*The release command was stopped/);
    assert.match(await paas.paas('releases -a plain'), /^v2 +Set HANG config vars \(failed\)/m);
    assert.equal(await paas.paas('config -a plain --json'), '{}\n');
    assert.equal((await paas.get('plain')).status, 200);
  });

  it('a build whose dynos boot and boot ends when it is cancelled, and the next push begins', async () => {
    await paas.paas('checks:boot-timeout 1h -a plain');
    paas.write(folder, 'server.js', 'setInterval(() => {}, 1000);\n');
    await paas.commit(folder, 'never listens');
    const pushing = paas.push(folder);
    await says('logs -n 5 -a plain', /web\.1\]: Starting process/);
    await until('it boots', async () => (await paas.ssh('builds:cancel -a plain')).status === 0);
    const { status, stderr } = await pushing;
    assert.notEqual(status, 0);
    assert.match(stderr, /Cancelled by admin/);
    await paas.git(folder, 'reset', '-q', '--hard', 'HEAD~1');
    await paas.commit(folder, 'listens');
    await paas.deploy(folder);
    assert.equal((await paas.get('plain')).status, 200);
  });

  it('what a kill of control cuts off has failed, and that is told once', async () => {
    const app = 'cut';
    await paas.git(folder, 'push', `ssh://paas@127.0.0.1:${paas.sshPort}/${app}`, 'main');
    await paas.paas(`webhooks:add http://127.0.0.1:9/ -a ${app}`);
    const cutOff = async (begin: () => Promise<unknown>, release: string) => {
      const done = begin();
      await says(`releases -a ${app}`, new RegExp(`^${release} .*\\(in progress\\)`, 'm'));
      await says(`ps -a ${app}`, /^release\.1: up/m);
      await paas.kill('control');
      await done;
      await until('control is back', async () => (await paas.ssh('apps')).status === 0);
    };
    await cutOff(() => paas.ssh(`config:set HANG=1 -a ${app}`), 'v2');
    await paas.stopMain();
    await paas.startMain();
    assert.equal(await paas.paas(`config -a ${app} --json`), '{}\n');
    const reason = 'The platform was restarted before it served.';
    assert.match(await paas.paas(`releases -a ${app}`), /^v2 +Set HANG config vars \(failed\)/m);
    assert.match(await paas.paas(`releases:info v2 -a ${app}`), new RegExp(`Status: .*${reason}`));

    paas.write(folder, 'Procfile', 'web: node server.js\nrelease: sleep 1000\n');
    await paas.commit(folder, 'its release command hangs');
    const push = () => paas.tryGit(folder, 'push', `ssh://paas@127.0.0.1:${paas.sshPort}/${app}`, 'main');
    await cutOff(push, 'v3');
    assert.match(await paas.paas(`releases:info v3 -a ${app}`), new RegExp(`Status: .*${reason}`));

    const failures = (text: string) => text.match(/(Release v\d failed|Build failed) -- [^.]+\./g);
    const told = [
      `Release v2 failed -- ${reason}`,
      'Build failed -- The platform was restarted during this build.',
    ];
    assert.deepEqual(failures(await paas.paas(`events -a ${app}`)), told);
    assert.deepEqual(failures(await paas.paas(`logs -a ${app}`)), told);
    const deliveries: { action: string }[] = JSON.parse(
      await paas.paas(`webhooks:deliveries -a ${app} --json`),
    );
    const fails = deliveries.map(({ action }) => action).filter((action) => action.endsWith(':fail'));
    assert.deepEqual(fails, ['builds:fail', 'releases:fail']);
    await paas.git(folder, 'reset', '-q', '--hard', 'HEAD~1');
  });

  for (const name of ['HANG', 'MUTE'])
    it(`an app goes though a change of its config waits for ${name === 'HANG' ? 'a release command' : 'a boot'} without end`, async () => {
      const app = name.toLowerCase();
      await paas.git(folder, 'push', `ssh://paas@127.0.0.1:${paas.sshPort}/${app}`, 'main');
      await paas.paas(`checks:boot-timeout 1h -a ${app}`);
      const changes = [
        paas.ssh(`config:set ${name}=1 -a ${app}`),
        paas.ssh(`config:set ${name}=2 -a ${app}`),
      ];
      await says(
        `logs -n 5 -a ${app}`,
        name === 'HANG' ? /it hangs/ : /\[web\.1\]: Starting process[^\n]*\n$/,
      );
      await paas.paas(`apps:destroy -a ${app} --confirm ${app}`);
      for (const { status } of await Promise.all(changes)) assert.notEqual(status, 0);
      assert.doesNotMatch(await paas.paas('apps'), new RegExp(`^${app} `, 'm'));
    });

  for (const command of ['ps:scale', 'ps:restart'])
    it(`an app goes though ${command} waits for dynos that do not come up`, async () => {
      const app = command.replace(':', '-');
      await paas.git(folder, 'push', `ssh://paas@127.0.0.1:${paas.sshPort}/${app}`, 'main');
      if (command === 'ps:restart') {
        await paas.paas(`checks:boot-timeout 1s -a ${app}`);
        await paas.paas(`ps:scale web=2 -a ${app}`);
      }
      await paas.paas(`checks:boot-timeout 1h -a ${app}`);
      const args = command === 'ps:restart' ? ['web', 'web'] : ['web=2', 'web=3'];
      const changes = args.map((arg) => paas.ssh(`${command} ${arg} -a ${app}`));
      const begun =
        command === 'ps:restart' ? /(web\.1\]: Starting process.*){2}/s : /web\.2\]: Starting process/;
      await says(`logs -a ${app}`, begun);
      await paas.paas(`apps:destroy -a ${app} --confirm ${app}`);
      for (const { status, stderr } of await Promise.all(changes)) {
        assert.notEqual(status, 0);
        assert.match(stderr, /is being destroyed|was stopped before it was up/);
      }
      assert.doesNotMatch(await paas.paas('apps'), new RegExp(`^${app} `, 'm'));
    });

  it('nothing is pushed to an app that is being destroyed, and no preview of it made', async () => {
    const stubborn = await paas.checkout('node-ignores-sigterm', 'stubborn');
    await paas.deploy(stubborn);
    await paas.paas('previews:on -a stubborn');
    const destroying = paas.ssh('apps:destroy -a stubborn --confirm stubborn');
    await says('logs -n 5 -a stubborn', /Stopping all processes with SIGTERM/);
    await paas.commit(stubborn, 'late');
    for (const branch of ['main', 'main:feature']) {
      const { status, stderr } = await paas.push(stubborn, branch);
      assert.notEqual(status, 0);
      assert.match(stderr, /stubborn is being destroyed/);
    }
    assert.equal((await destroying).status, 0);
    assert.doesNotMatch(await paas.paas('apps'), /stubborn/);
  });
});
