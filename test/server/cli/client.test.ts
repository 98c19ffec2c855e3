import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { execute, type Result, SshFixture } from '../ssh/ssh-fixture.ts';

const PAAS = join(import.meta.dirname, '..', '..', '..', 'server', 'cli', 'paas');

describe('paas, the local client', function () {
  this.timeout(30_000);
  let fixture: SshFixture;
  let repository: string;
  let elsewhere: string;

  const paas = (args: string[], { input = '', cwd = repository, env = {} } = {}): Promise<Result> =>
    execute(PAAS, args, {
      input,
      cwd,
      env: {
        PATH: process.env.PATH,
        HOME: fixture.folder,
        GIT_SSH_COMMAND: ['ssh', ...fixture.clientOptions()].join(' '),
        ...env,
      },
    });

  before(async () => {
    fixture = await new SshFixture().start();
    fixture.platform.addApp('blog');
    fixture.platform.addApp('shop');
    repository = join(fixture.folder, 'repository');
    elsewhere = join(fixture.folder, 'elsewhere');
    for (const folder of [repository, elsewhere]) mkdirSync(folder);
    execFileSync('git', ['init', '-q'], { cwd: repository });
    const url = `ssh://paas@127.0.0.1:${fixture.port}/blog`;
    execFileSync('git', ['remote', 'add', 'paas', url], { cwd: repository });
  });
  after(() => fixture.stop());

  it('takes server and app from the git remote', async () => {
    const { status, stdout, stderr } = await paas(['config:set', 'A=x  y', 'B=it\'s "b"\nc=$(id)']);
    assert.equal(status, 0, stderr);
    assert.deepEqual(fixture.platform.stored.get('blog')!.config, { A: 'x  y', B: 'it\'s "b"\nc=$(id)' });
    assert.equal(stdout, 'A: x  y\nB: it\'s "b"\\nc=$(id)\n');
  });

  it('lets an app that is named outweigh the remote', async () => {
    for (const args of [
      ['scale', 'web=2', '-a', 'shop'],
      ['-a', 'shop', 'scale', 'web=2'],
      ['scale', 'shop', 'web=2'],
    ]) {
      fixture.platform.changes.length = 0;
      await paas(args);
      assert.deepEqual(fixture.platform.changes, ['scale shop web=2 by alice'], args.join(' '));
    }
  });

  it('sends the files of certs:add together, and names one that is not there', async () => {
    const got: string[] = [];
    fixture.platform.certificates = {
      ...fixture.platform.certificates,
      add: async (app, pem, user) => {
        got.push(`${app} ${JSON.stringify(pem)} ${user}`);
        return [];
      },
    };
    writeFileSync(join(repository, 'site.crt'), 'CERT');
    writeFileSync(join(repository, 'site.key'), 'KEY');
    for (const args of [
      ['certs:add', 'site.crt', 'site.key'],
      ['certs:add', 'shop', 'site.crt', 'site.key'],
      ['certs:add', join(repository, 'site.crt'), '-a', 'shop'],
    ])
      assert.equal((await paas(args)).status, 0, args.join(' '));
    assert.equal((await paas(['certs:add', '-'], { input: 'BUNDLE' })).status, 0);
    assert.deepEqual(got, [
      'blog "CERT\\nKEY" alice',
      'shop "CERT\\nKEY" alice',
      'shop "CERT" alice',
      'blog "BUNDLE" alice',
    ]);
    const missing = await paas(['certs:add', 'site.crt', 'other.key']);
    assert.equal(missing.status, 2);
    assert.match(missing.stderr, /no file "other.key" here/);
  });

  it('works anywhere with PAAS_HOST and -a or PAAS_APP', async () => {
    const env = { PAAS_HOST: `127.0.0.1:${fixture.port}` };
    assert.match((await paas(['ps', '-a', 'shop'], { cwd: elsewhere, env })).stdout, /^=== web/);
    assert.match(
      (await paas(['ps'], { cwd: elsewhere, env: { ...env, PAAS_APP: 'shop' } })).stdout,
      /^=== web/,
    );
    assert.match((await paas(['ps'], { cwd: elsewhere, env })).stderr, /Which app\?/);
  });

  it('says what to do where no server is known', async () => {
    const { status, stderr } = await paas(['ps'], { cwd: elsewhere });
    assert.equal(status, 2);
    assert.match(stderr, /No server is known.*git remote add paas ssh:/s);
  });

  it('shows help without a server', async () => {
    assert.match((await paas(['help'], { cwd: elsewhere })).stdout, /ps +List the dynos/);
    assert.match((await paas(['ps:scale', '--help'], { cwd: elsewhere })).stdout, /Usage: ps:scale -a APP/);
    assert.equal((await paas(['help', 'zzz'], { cwd: elsewhere })).status, 2);
    assert.match((await paas(['--version'], { cwd: elsewhere })).stdout, /^paas \d/);
  });

  it("passes standard input, the command's own flags and its exit status on", async () => {
    const echoed = await paas(['run', 'cat', '-a', '--json'], { input: 'hello' });
    assert.deepEqual([echoed.status, echoed.stdout], [0, 'hello']);
    assert.equal(echoed.stderr, 'running cat -a --json\n');
    assert.equal((await paas(['run', 'exit 7'])).status, 7);
    await paas(['config:set', 'SECRET=-'], { input: 'hunter2\n' });
    assert.equal(fixture.platform.stored.get('blog')!.config.SECRET, 'hunter2');
    await paas(['webhooks:add', 'https://example.com/hook', '--secret', '-'], { input: 'correct horse\n' });
    assert.match(fixture.platform.changes.at(-1)!, /^webhook blog https:.* correct horse by /);
  });

  it('leaves standard input alone for commands that do not read it', async () => {
    const script = `while read -r line; do "$0" version >/dev/null; echo "$line"; done`;
    const { stdout } = await execute('sh', ['-c', script, PAAS], {
      input: 'one\ntwo\n',
      cwd: repository,
      env: {
        ...process.env,
        HOME: fixture.folder,
        GIT_SSH_COMMAND: ['ssh', ...fixture.clientOptions()].join(' '),
      },
    });
    assert.equal(stdout, 'one\ntwo\n');
  });

  it('lets the server name near commands and apps', async () => {
    const unknown = await paas(['conifg']);
    assert.equal(unknown.status, 2);
    assert.match(unknown.stderr, /Did you mean config/);
    assert.equal((await paas(['ps', '-a', 'blgo'])).status, 3);
  });

  it('refuses to destroy without a terminal', async () => {
    assert.equal((await paas(['apps:destroy'])).status, 2);
    assert.ok(fixture.platform.stored.has('blog'));
  });

  it('starts through a symbolic link', async () => {
    const link = join(fixture.folder, 'linked-paas');
    symlinkSync(PAAS, link);
    const { status } = await execute(link, ['help'], { cwd: elsewhere });
    assert.equal(status, 0);
  });
});
