import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
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
      ...fixture.platform.runs,
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

  it('gives run the terminal, its resizes, signals and Ctrl-C as they are', async () => {
    const { runs } = fixture.platform;
    const seen: unknown[] = [];
    const keys: Buffer[] = [];
    const exited = Promise.withResolvers<number>();
    fixture.platform.runs = {
      ...fixture.platform.runs,
      start: async (app, { command, terminal }) => {
        seen.push([app, command, terminal]);
        const stdin = new PassThrough().on('data', (chunk) => keys.push(chunk));
        const stdout = new PassThrough();
        stdout.write('$ ');
        exited.promise.then(() => stdout.end());
        return {
          dyno: 'run.1',
          stdin,
          stdout,
          stderr: Readable.from([]),
          resize: (size) => seen.push(size),
          signal: (name) => {
            seen.push(name);
            exited.resolve(143);
          },
          exited: exited.promise,
          hangUp: () => seen.push('hang-up'),
        };
      },
    };
    const client = await fixture.connect();
    const status = await new Promise((resolve, reject) => {
      client.exec('run -a blog bash', { pty: { rows: 30, cols: 100, term: 'vt100' } }, (error, channel) => {
        if (error) return reject(error);
        channel.once('data', () => {
          channel.setWindow(40, 120, 0, 0);
          channel.write('\x03');
          setTimeout(() => channel.signal('TERM'), 50);
        });
        channel.on('exit', resolve);
      });
    });
    client.end();
    await sleep(50);
    fixture.platform.runs = runs;
    assert.equal(status, 143);
    assert.deepEqual(seen, [
      ['blog', 'bash', { rows: 30, columns: 100, term: 'vt100' }],
      { rows: 40, columns: 120 },
      'SIGTERM',
    ]);
    assert.equal(Buffer.concat(keys).toString(), '\x03');
  });

  it('hangs up a dyno and aborts a push when the client goes', async () => {
    const { runs, pushes } = fixture.platform;
    const hungUp = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    fixture.platform.runs = {
      ...fixture.platform.runs,
      start: async (app, options) => ({
        ...(await runs.start(app, options)),
        hangUp: () => hungUp.resolve(),
      }),
    };
    fixture.platform.pushes = {
      ...pushes,
      receive: (_app, { signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            aborted.resolve();
            resolve(1);
          });
        }),
    };
    for (const [command, end] of [
      ['run -a blog cat', hungUp.promise],
      ["git-receive-pack 'blog'", aborted.promise],
    ] as const) {
      const client = await fixture.connect();
      await new Promise<void>((resolve) => client.exec(command, () => resolve()));
      client.destroy();
      await end;
    }
    Object.assign(fixture.platform, { runs, pushes });
  });

  it('stops a command at Ctrl-C on a terminal', async () => {
    const client = await fixture.connect();
    const status = await new Promise((resolve) => {
      client.exec('logs -t -a blog', { pty: true }, (_error, channel) => {
        channel.write('\x03');
        channel.on('exit', resolve).resume();
      });
    });
    client.end();
    assert.equal(status, 130);
  });

  it('asks on a terminal before it destroys, with echo and editing', async () => {
    fixture.platform.addApp('doomed');
    for (const [typed, status] of [
      ['doom\r', 2],
      ['dx\x7foomed\r', 0],
    ] as const) {
      const client = await fixture.connect();
      const outcome = await new Promise((resolve) => {
        client.exec('apps:destroy doomed', { pty: true }, (_error, channel) => {
          channel.write(typed);
          channel.on('exit', resolve).resume();
        });
      });
      client.end();
      assert.equal(outcome, status, typed);
    }
    assert.equal(fixture.platform.stored.has('doomed'), false);
  });

  it('takes no more from a dyno than a slow client reads', async () => {
    const { runs } = fixture.platform;
    let taken = 0;
    const endless = new Readable({
      read() {
        taken += 65_536;
        this.push(Buffer.alloc(65_536));
      },
    });
    fixture.platform.runs = {
      ...fixture.platform.runs,
      start: async (app, options) => ({
        ...(await runs.start(app, options)),
        stdout: endless,
        hangUp: () => endless.destroy(),
      }),
    };
    const client = await fixture.connect();
    await new Promise<void>((resolve) =>
      client.exec('run -a blog yes', (_error, channel) => resolve(void channel.pause())),
    );
    await sleep(300);
    const settled = taken;
    await sleep(200);
    assert.equal(taken, settled, 'it still takes');
    assert.ok(taken < 5_000_000, `${taken} bytes for a client with a window of 2 MB`);
    client.destroy();
    fixture.platform.runs = runs;
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
      ...pushes,
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
