import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { Instance, whyNot } from './instance.ts';

describe('bad input', function () {
  this.timeout(240_000);
  let paas: Instance;
  let folder: string;

  before(async function () {
    if (whyNot()) return this.skip();
    paas = await Instance.start({ PAAS_BOOT_TIMEOUT: '8' });
    folder = await paas.checkout('node-plain', 'plain');
    await paas.deploy(folder);
  });

  after(async () => {
    await paas?.remove();
  });

  const refused = async (command: string, pattern: RegExp, stdin?: string) => {
    const outcome = await paas.ssh(command, stdin === undefined ? {} : { stdin });
    assert.notEqual(outcome.status, 0, `${command} was not refused`);
    assert.match(outcome.stderr, pattern, command);
    assert.doesNotMatch(outcome.stderr, / at .*\.ts:\d+/, 'no stack trace reaches a user');
  };

  it('app names that are none', async () => {
    for (const name of ['../x', '-x', "'x;y'", 'a'.repeat(64), 'ünï', 'paas', "''", "'$(id)'"]) {
      await refused(`apps:create -- ${name}`, /name/);
    }
    assert.deepEqual(
      JSON.parse(await paas.paas('apps --json')).map((app: { name: string }) => app.name),
      ['plain'],
    );
  });

  it('pushes to app names that are none', async () => {
    for (const name of ['../x', 'x;y', 'a'.repeat(64), 'UPPER']) {
      await paas.git(folder, 'remote', 'set-url', 'paas', `ssh://paas@127.0.0.1:${paas.sshPort}/${name}`);
      assert.notEqual((await paas.push(folder)).status, 0, name);
    }
    await paas.git(folder, 'remote', 'set-url', 'paas', `ssh://paas@127.0.0.1:${paas.sshPort}/plain`);
    assert.equal(JSON.parse(await paas.paas('apps --json')).length, 1);
  });

  it('unknown commands get a suggestion, and nothing runs', async () => {
    const outcome = await paas.ssh('conifg -a plain');
    assert.equal(outcome.status, 2);
    assert.match(outcome.stderr, /config/);
  });

  it('impossible quantities', async () => {
    for (const change of ['web=-1', 'web=1e9', 'web=1.5', 'web=', 'nope=1', 'web'])
      await refused(`scale ${change} -a plain`, /./);
    assert.match(await paas.paas('ps -a plain'), /\(1\)/);
  });

  it('config:set without =', async () => {
    await refused('config:set JUST_A_NAME -a plain', /=/);
  });

  it('config values with newlines, quotes, equals signs and unicode survive', async () => {
    const value = 'a=b\n"c" \'d\' $(id) `id` \\ ü\n';
    await paas.paas(`config:set -a plain NASTY='${value.replaceAll("'", "'\\''")}'`);
    assert.equal(JSON.parse(await paas.paas('config -a plain --json')).NASTY, value);
    assert.equal((await paas.ssh('run -a plain -- printenv NASTY')).stdout, `${value}\n`);
    await paas.paas('config:unset NASTY -a plain');
  });

  it('a repository with no commit, and an empty push', async () => {
    const empty = await paas.checkout('node-plain', 'empty');
    await paas.git(empty, 'update-ref', '-d', 'HEAD');
    assert.notEqual((await paas.push(empty)).status, 0);
    const again = await paas.push(folder);
    assert.equal(again.status, 0);
    assert.match(again.stderr, /Everything up-to-date/);
    assert.equal(JSON.parse(await paas.paas('apps --json')).length, 1);
  });

  it('a tag, a deleted branch and the deletion of the deploy branch', async () => {
    await paas.git(folder, 'tag', 'v1');
    assert.match((await paas.git(folder, 'push', 'paas', 'v1')).stderr, /Pushed a tag, skipping build/);
    await paas.git(folder, 'push', '-q', 'paas', 'main:other');
    assert.equal((await paas.tryGit(folder, 'push', 'paas', ':other')).status, 0);
    const outcome = await paas.tryGit(folder, 'push', 'paas', ':main');
    assert.equal(outcome.status, 1);
    assert.match(outcome.stderr, /cannot be deleted/);
    assert.equal((await paas.get('plain')).status, 200);
  });

  for (const [sample, pattern] of [
    ['bad-package-json', /package\.json/],
    ['bad-engine', /engines\.node/],
    ['bad-procfile', /"web" is already declared in line 1/],
    ['node-exits', /web\.1 said:.*web\.1 exited with status/s],
  ] as const) {
    it(`an app of the kind ${sample}: the push is refused with the reason`, async () => {
      const app = await paas.checkout(sample, sample);
      const outcome = await paas.push(app);
      assert.equal(outcome.status, 1, outcome.stderr);
      assert.match(outcome.stderr, pattern);
      assert.match(outcome.stderr, /Push rejected/);
    });
  }

  // How it ends is the last test's: others need not wait for it.
  it('an app that ignores SIGTERM: a new release does not wait for it', async () => {
    const app = await paas.checkout('node-ignores-sigterm', 'stubborn');
    await paas.deploy(app);
    paas.write(app, 'extra.txt', 'x');
    await paas.commit(app, 'again');
    const began = Date.now();
    await paas.deploy(app);
    assert.ok(Date.now() - began < 20_000);
  });

  it('an app that never listens: killed when its time is over, the push refused, the old release serves on', async () => {
    const before = (await paas.get('plain')).body;
    const app = await paas.checkout('node-never-listens', 'plain');
    const outcome = await paas.tryGit(app, 'push', '-f', 'paas', 'main');
    assert.equal(outcome.status, 1, outcome.stderr);
    assert.match(
      outcome.stderr,
      /web\.1 did not listen on \$PORT \(5000\) within 8 seconds, and nowhere else\.[^!]*!\s+remote: {2}! {5}Push rejected, the old release serves on\./s,
    );
    const r10 =
      /Error R10 \(Boot timeout\) -> Web process failed to bind to \$PORT within 8 seconds of launch/;
    await paas.waitForLog('plain', r10, { flags: '-s paas' });
    assert.equal((await paas.get('plain')).body, before);
  });

  it('an app that listens elsewhere, or wants more memory than it may have: its pusher is told', async () => {
    const elsewhere = await paas.checkout('node-plain', 'elsewhere');
    paas.write(elsewhere, 'server.js', "require('node:http').createServer().listen(3000)");
    const greedy = await paas.checkout('node-plain', 'greedy');
    paas.write(greedy, 'server.js', 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))');
    await paas.paas('apps:create greedy');
    await paas.paas('limits:set web --memory 100m -a greedy');
    const [port, memory] = await Promise.all(
      [elsewhere, greedy].map(async (folder) => {
        await paas.commit(folder, 'other');
        return (await paas.push(folder)).stderr;
      }),
    );
    assert.match(port!, /did not listen on \$PORT \(5000\) within 8 seconds, but on 3000\./);
    assert.match(port!, / !\s+remote: {2}! {5}Push rejected, nothing was released\./);
    assert.match(memory!, /more memory than it may \(100 MB\).*paas limits:set web --memory 200m -a greedy/);
  });

  it('an app that writes 100 MB in one line goes on answering, and the log stays bounded', async () => {
    const app = await paas.checkout('node-log-flood', 'flood');
    await paas.deploy(app);
    await paas.get('flood', '/flood');
    await paas.waitForLog('flood', /flood is over/, { milliseconds: 120_000 });
    assert.equal((await paas.get('flood')).status, 200);
    const { execFileSync } = await import('node:child_process');
    const kilobytes = Number(
      execFileSync('du', ['-s', paas.environment.PAAS_DATA!], { encoding: 'utf8' }).split('\t')[0],
    );
    const logs = Number(
      execFileSync('du', ['-s', `${paas.environment.PAAS_DATA}/control/logs`], { encoding: 'utf8' }).split(
        '\t',
      )[0],
    );
    assert.ok(logs < 80 * 1024, `${logs} KB of logs of ${kilobytes} KB`);
  });

  it('a key that is no key', async () => {
    await refused('keys:add eve', /no public key/, 'this is not a key\n');
    assert.equal(JSON.parse(await paas.paas('keys --json')).length, 1);
  });

  it('the last key cannot be removed', async () => {
    await refused('keys:remove admin', /last key/);
  });

  it('an app that ignores SIGTERM: it is killed after 30 s', async () => {
    await paas.waitForLog('stubborn', /Error R12 \(Exit timeout\)/, {
      flags: '-s paas',
      milliseconds: 60_000,
    });
    await paas.waitForLog('stubborn', /Process exited with status 137/, { flags: '-s paas' });
  });
});
