import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { after, before, describe, it } from 'mocha';
import { execute, SshFixture } from './ssh-fixture.ts';

describe('createSshServer()', () => {
  let fixture: SshFixture;

  before(async () => {
    fixture = await new SshFixture().start();
    fixture.platform.addApp('blog');
  });
  after(() => fixture.stop());

  it('runs a command for OpenSSH and passes its exit status on', async () => {
    const { status, stdout, stderr } = await fixture.ssh(['apps', '--json']);
    assert.equal(stderr, '');
    assert.equal(status, 0);
    assert.equal(JSON.parse(stdout)[0].name, 'blog');
    assert.equal((await fixture.ssh(['nonsense'])).status, 2);
  });

  it('keeps its host key, readable by its owner alone', () => {
    const { mode } = statSync(join(fixture.folder, 'data', 'control', 'ssh_host_ed25519_key'));
    assert.equal(mode & 0o777, 0o600);
  });

  it('greets a bare connection with the user, the apps and three next commands', async () => {
    const { status, stdout } = await fixture.ssh([]);
    assert.equal(status, 0);
    assert.match(stdout, /^You are alice, by the key SHA256:/);
    assert.match(stdout, /blog +up +http:\/\/blog\.example\.com\//);
    assert.equal(stdout.split('Next:\n')[1]!.trim().split('\n').length, 3);
  });

  it('ends lines for a terminal in raw mode', async () => {
    const { stdout } = await fixture.ssh(['version'], { options: ['-tt'] });
    assert.match(stdout, /^paas \d.*\r\n$/);
  });

  it('carries stdin to a dyno and its output, EOF and status back', async () => {
    const input = randomBytes(3_000_000).toString('base64');
    const { status, stdout, stderr } = await fixture.ssh(['run', '-a', 'blog', 'cat'], { input });
    assert.equal(status, 0);
    assert.equal(stdout, input);
    assert.equal(stderr, 'running cat\n');
    assert.equal((await fixture.ssh(['run', '-a', 'blog', "'exit 42'"])).status, 42);
  });

  it('sends all of a large stdout and stderr before the exit status', async () => {
    const size = 5_000_000;
    const { runs } = fixture.platform;
    fixture.platform.runs = {
      start: async () => ({
        dyno: 'run.1',
        stdin: new PassThrough(),
        stdout: Readable.from(pieces('o', size)),
        stderr: Readable.from(pieces('e', size)),
        resize: () => {},
        signal: () => {},
        exited: Promise.resolve(7),
        hangUp: () => {},
      }),
    };
    const { status, stdout, stderr } = await fixture.ssh(['run', '-a', 'blog', 'x']);
    fixture.platform.runs = runs;
    assert.equal(status, 7);
    assert.equal(stdout, 'o'.repeat(size));
    assert.equal(stderr, 'e'.repeat(size));
  });

  it('gives git its streams, GIT_PROTOCOL and exit status', async () => {
    const repository = join(fixture.folder, 'blog.git');
    execFileSync('git', ['init', '-q', '--bare', repository]);
    const { pushes } = fixture.platform;
    const { spawn } = await import('node:child_process');
    const protocols: (string | undefined)[] = [];
    const serve = async (service: string, options: Parameters<typeof pushes.receive>[1]) => {
      protocols.push(options.protocol);
      const child = spawn('git', [service, repository], {
        env: { ...process.env, GIT_PROTOCOL: options.protocol },
      });
      options.streams.stdin.pipe(child.stdin);
      child.stdout.pipe(options.streams.stdout);
      child.stderr.pipe(options.streams.stderr);
      return new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? 1)));
    };
    fixture.platform.pushes = {
      receive: (_app, options) => serve('receive-pack', options),
      upload: (_app, options) => serve('upload-pack', options),
    };
    const work = join(fixture.folder, 'work');
    mkdirSync(work);
    const env = { ...process.env, GIT_SSH_COMMAND: ['ssh', ...fixture.clientOptions()].join(' ') };
    const git = (...args: string[]) =>
      execute('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], { cwd: work, env });
    await git('init', '-q', '-b', 'main');
    await git('commit', '-q', '--allow-empty', '-m', 'one');
    const pushed = await git('push', 'ssh://paas@127.0.0.1/blog', 'main');
    assert.equal(pushed.status, 0, pushed.stderr);
    const cloned = await git('clone', '-q', 'paas@127.0.0.1:blog.git', 'copy');
    assert.equal(cloned.status, 0, cloned.stderr);
    assert.deepEqual(protocols, [undefined, 'version=2']);
    fixture.platform.pushes = pushes;
  });
});

function* pieces(letter: string, size: number): Generator<string> {
  for (let left = size; left > 0; left -= 100_000) yield letter.repeat(Math.min(left, 100_000));
}
