import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReadStream } from 'node:tty';
import { describe, it } from 'mocha';
import { SetupError } from '../../runtime/containers/setup-error.ts';
import { EngineError } from '../../runtime/engine-error.ts';
import { resizeTerminal } from '../../runtime/syscall/descriptors.ts';
import { usedGroups } from './engine-leftovers.ts';
import { APP_USER, interfaceNumber, type KernelFixture } from './kernel-fixture.ts';
import { kernelSuite } from './kernel-suite.ts';

describe('LinuxKernel', () => {
  const containers = kernelSuite();

  it('start() runs the app and tells its exit status', async () => {
    const { code, output } = await containers.run('echo hello; exit 42');
    assert.equal(code, 42);
    assert.equal(output, 'hello\n');
  });

  it('start() tells 128+n for a signal', async () => {
    assert.equal((await containers.run('kill -TERM $$')).code, 143);
    assert.equal((await containers.run('kill -KILL $$')).code, 137);
  });

  it('start() refuses a program that is not there, with 127', async () => {
    await assert.rejects(containers.run(['nothing-like-it']), (error: SetupError) => {
      assert.ok(error instanceof SetupError);
      assert.equal(error.exitCode, 127);
      assert.match(error.message, /Could not execute "nothing-like-it": there is no such file/);
      return true;
    });
  });

  it('start() refuses a file that is no program, with 126', async () => {
    await assert.rejects(containers.run(['/etc/passwd']), { exitCode: 126 });
  });

  it('start() names the operation that failed', async () => {
    await assert.rejects(
      containers.run('true', { cwd: '/etc/passwd' }),
      /make the folder "\/etc\/passwd"|working folder/,
    );
    const rootfs = { ...containers.spec('true').rootfs, lower: ['/nowhere'] };
    await assert.rejects(containers.run('true', { rootfs }), /nowhere"/);
  });

  it('start() leaves nothing behind when it fails', async () => {
    const spec = containers.spec(['nothing-like-it'], { network: 'nat' });
    await assert.rejects(containers.start(spec));
    assert.deepEqual(await leftovers(containers), []);
  });

  it('start() gives the app its user, environment, folder, host name and files', async () => {
    const { output } = await containers.run(
      'id -u; id -g; id -G; pwd; hostname; echo $GREETING; grep db /etc/hosts',
      {
        env: ['PATH=/usr/bin:/bin', 'GREETING=hello'],
        cwd: '/srv/new',
        groups: [APP_USER, 1234],
        extraHosts: ['db:10.0.0.7'],
      },
    );
    const expected = ['70000', '70000', '70000 1234', '/srv/new', 'web-1', 'hello', '10.0.0.7\tdb', ''];
    assert.deepEqual(output.split('\n'), expected);
  });

  it('start() gives an environment that is longer than what fits into one message', async () => {
    const long = Array.from({ length: 4 }, (_, index) => `LONG_${index}=${'x'.repeat(100_000)}`);
    const { output } = await containers.run('printf %s "$LONG_0$LONG_3" | wc -c', {
      env: ['PATH=/usr/bin:/bin', ...long],
    });
    assert.equal(output, '200000\n');
  });

  it('start() writes to the upper folder alone', async () => {
    const spec = containers.spec('echo new > /tmp/file; cat /tmp/file');
    await containers.start(spec);
    await containers.exited(spec);
    await containers.kernel.release(spec.id);
    assert.equal(readFileSync(join(spec.rootfs.upper, 'tmp/file'), 'utf8'), 'new\n');
    assert.equal(statSync(spec.rootfs.upper).mode & 0o777, 0o755);
    assert.deepEqual(
      readdirSync(spec.rootfs.upper).filter((name) => name !== 'tmp' && name !== 'etc'),
      [],
    );
  });

  it('start() mounts folders and files, read-only if asked', async () => {
    const folder = join(containers.folder, 'volume');
    mkdirSync(folder, { mode: 0o777 });
    writeFileSync(join(folder, 'greeting'), 'hello\n');
    const { output } = await containers.run(
      'cat /data/greeting /one/file; touch /data/x 2>&1; touch /one/file 2>&1; true',
      {
        uid: 0,
        gid: 0,
        binds: [
          { source: folder, target: '/data', readOnly: false },
          { source: join(folder, 'greeting'), target: '/one/file', readOnly: true },
        ],
      },
    );
    assert.match(output, /^hello\nhello\n.*Read-only file system/);
    assert.ok(existsSync(join(folder, 'x')));
  });

  it('start() refuses to mount over /proc, and an image whose /proc is a symbolic link', async () => {
    for (const target of ['/proc', '/sys/kernel', '/dev/', '/', '/a/../proc', 'data']) {
      await assert.rejects(
        containers.run('true', { binds: [{ source: '/tmp', target, readOnly: true }] }),
        SetupError,
      );
    }
    const layer = join(containers.folder, 'hostile');
    mkdirSync(layer);
    for (const name of ['proc', 'sys', 'dev']) {
      symlinkSync('/tmp', join(layer, name));
      const spec = containers.spec('true');
      const rootfs = { ...spec.rootfs, lower: [layer, ...spec.rootfs.lower] };
      await assert.rejects(containers.run('true', { rootfs }), /no symbolic link/);
    }
  });

  it('start() survives hostile links where it writes files', async () => {
    const layer = join(containers.folder, 'links');
    const canary = join(containers.folder, 'canary');
    writeFileSync(canary, 'untouched');
    mkdirSync(join(layer, 'etc'), { recursive: true });
    symlinkSync(canary, join(layer, 'etc/hosts'));
    symlinkSync(`../../../../..${canary}`, join(layer, 'etc/resolv.conf'));
    const spec = containers.spec('cat /etc/hosts');
    const rootfs = { ...spec.rootfs, lower: [layer, ...spec.rootfs.lower] };
    await containers.run('true', { rootfs }).catch(() => {});
    assert.equal(readFileSync(canary, 'utf8'), 'untouched');
  });

  it('kill() passes a signal on to every process', async () => {
    const spec = containers.spec(
      'trap "echo one; wait; exit 7" TERM; sh -c \'trap "echo two; exit" TERM; echo ready; sleep 9 & wait\' & wait',
    );
    await containers.start(spec);
    while (!containers.output(spec).includes('ready')) await sleep(20);
    containers.kernel.kill(spec.id, 15);
    assert.equal((await containers.exited(spec)).code, 7);
    await containers.kernel.release(spec.id);
    assert.match(containers.output(spec), /one/);
    assert.match(containers.output(spec), /two/);
  });

  it('kill() with SIGKILL ends everything, with 137', async () => {
    const spec = containers.spec('trap "" TERM INT; sleep 99 & sleep 99');
    await containers.start(spec);
    containers.kernel.kill(spec.id, 9);
    assert.deepEqual(await containers.exited(spec), { code: 137, oomKilled: false });
    await containers.kernel.release(spec.id);
  });

  it('limits memory, and says so', async () => {
    const limits = { memory: 32 << 20, nanoCpus: undefined, cpuShares: undefined, pids: 20 };
    const hog = ['perl', '-e', '$x = "a" x (200 << 20); print "survived"'];
    assert.deepEqual(await containers.run(hog, { limits }), { code: 137, oomKilled: true, output: '' });
    const enough = { ...limits, memory: 512 << 20 };
    assert.equal((await containers.run(hog, { limits: enough })).output, 'survived');
  });

  it('limits processes', async () => {
    const limits = { memory: undefined, nanoCpus: undefined, cpuShares: undefined, pids: 10 };
    const many = 'for i in $(seq 30); do sleep 1 & done; echo all';
    assert.doesNotMatch((await containers.run(many, { limits })).output, /all/);
    assert.match((await containers.run(many, { limits: { ...limits, pids: 100 } })).output, /all/);
  });

  it('stats() tells memory, processes and processor time', async () => {
    const spec = containers.spec('i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 99');
    await containers.during(spec, async () => {
      await sleep(300);
      const stats = containers.kernel.stats(spec.id);
      assert.ok(stats.memory.usage > 0 && stats.memory.usage < stats.memory.limit);
      assert.equal(stats.memory.limit, 256 << 20);
      assert.ok(stats.pids.current >= 2);
      assert.ok(stats.cpu.total > 1e6 && stats.cpu.user + stats.cpu.kernel > 1e6);
    });
  });

  it('exec() runs a program in the container, and tells its exit status', async () => {
    const spec = containers.spec('sleep 99');
    await containers.during(spec, async () => {
      const { code, output } = await containers.exec(spec, 'hostname; exit 3', { cwd: '/tmp' });
      assert.equal(code, 3);
      assert.match(output, /^web-1\n/);
    });
  });

  it('exec() refuses a program that is not there, and a container that does not run', async () => {
    const spec = containers.spec('sleep 99');
    await containers.during(spec, async () => {
      await assert.rejects(containers.exec(spec, '', { args: ['nothing'] }), { exitCode: 127 });
    });
    await assert.rejects(containers.exec(spec, 'true'), /not running/);
  });

  it('exec() says of a container that is just ending that it does not run', async () => {
    for (let round = 0; round < 20; round++) {
      const spec = containers.spec('sleep 99');
      await containers.during(spec, async () => {
        containers.kernel.kill(spec.id, 9);
        // Nothing is told before this turn of the event loop is over.
        for (const until = performance.now() + round / 10; performance.now() < until; );
        const outcome = await containers.exec(spec, 'sleep 99').catch((error) => error);
        assert.equal(outcome.code, outcome instanceof EngineError ? 'conflict' : 137, outcome);
      });
    }
  });

  it('exec() ends with the container, with 137', async () => {
    const spec = containers.spec('sleep 99');
    const running = await containers.during(spec, async () => {
      const result = containers.exec(spec, 'sleep 99');
      await sleep(100);
      return { result };
    });
    assert.equal((await running.result).code, 137);
  });

  it('start() and exec() give a terminal with a size', async () => {
    const spec = containers.spec('tty; stty size; sleep 99', {
      stdio: { terminal: { rows: 24, columns: 80 } },
    });
    await containers.during(spec, async (process) => {
      using first = new Terminal(process.terminal!);
      await first.says('/dev/pts/0\r\n24 80\r\n');
      const exec = await containers.kernel.exec(spec.id, {
        ...{ args: ['sh', '-c', 'tty; stty size; read word; echo "<$word>"'], env: [], cwd: '/' },
        ...{ uid: APP_USER, gid: APP_USER, groups: [], capabilities: [] },
        stdio: { terminal: { rows: 10, columns: 20 } },
      });
      using second = new Terminal(exec.terminal!);
      await second.says('/dev/pts/1\r\n10 20\r\n');
      resizeTerminal(exec.terminal!, { rows: 11, columns: 21 });
      second.type('hello\n');
      await second.says('<hello>\r\n');
      assert.equal(await exec.exited, 0);
    });
  });

  it('adopt() takes up what an earlier runtime started, and tells its exit status', async () => {
    const spec = containers.spec('trap "exit 9" TERM; while :; do sleep 0.05; done', { network: 'nat' });
    const process = await containers.start(spec);
    await containers.reopen();
    const { kernel } = containers;
    assert.deepEqual(kernel.adopt(spec.id, process), { running: true, paused: false, pipes: [] });
    await kernel.cleanUp(new Set([spec.id]));
    assert.ok(existsSync(`/sys/class/net/${containers.interfaceTo(process.address!)}`));
    kernel.kill(spec.id, 15);
    assert.deepEqual(await containers.exited(spec), { code: 9, oomKilled: false });
    await kernel.release(spec.id);
    assert.deepEqual(await leftovers(containers), []);
  });

  it('adopt() tells how a process ended meanwhile, and never takes another of the same pid', async () => {
    const spec = containers.spec('exit 4');
    const started = await containers.start(spec);
    await containers.exited(spec);
    assert.deepEqual(containers.kernel.adopt(spec.id, started), {
      running: false,
      exit: { code: 4, oomKilled: false },
    });
    const reused = { ...started, pid: process.pid };
    assert.deepEqual(containers.kernel.adopt(spec.id, reused), {
      running: false,
      exit: { code: 4, oomKilled: false },
    });
    await containers.kernel.release(spec.id);
  });

  it('cleanUp() removes what belongs to no container, processes too', async () => {
    const spec = containers.spec('sleep 99', { network: 'nat' });
    const { pid } = await containers.start(spec);
    await containers.reopen();
    await containers.kernel.cleanUp(new Set());
    assert.ok(!existsSync(`/proc/${pid}`));
    assert.deepEqual(await leftovers(containers), []);
  });

  for (const network of ['nat', 'none'] as const) {
    it(`release() leaves nothing, and may be called again (network: ${network})`, async () => {
      const spec = containers.spec('sleep 99', { network });
      await containers.start(spec);
      assert.notDeepEqual(found(containers), []);
      containers.kernel.kill(spec.id, 9);
      await containers.exited(spec);
      await containers.kernel.release(spec.id);
      await containers.kernel.release(spec.id);
      assert.deepEqual(await leftovers(containers), []);
    });
  }

  it('start() fifty at once', async () => {
    const specs = Array.from({ length: 50 }, () => containers.spec('sleep 99', { network: 'nat' }));
    const started = await Promise.all(specs.map((spec) => containers.start(spec)));
    assert.equal(new Set(started.map(({ address }) => address)).size, 50);
    for (const spec of specs) containers.kernel.kill(spec.id, 9);
    await Promise.all(specs.map((spec) => containers.exited(spec)));
    await Promise.all(specs.map((spec) => containers.kernel.release(spec.id)));
    assert.deepEqual(await leftovers(containers), []);
  });
});

/** What containers of the instance have left in the kernel; a place that is just being made for others looks like a used one for a moment. */
async function leftovers(containers: KernelFixture): Promise<string[]> {
  let left = found(containers);
  for (let tries = 0; tries < 50 && left.length > 0; tries++) {
    await sleep(20);
    left = found(containers);
  }
  return left;
}

/** What containers of the instance have in the kernel; what is made in advance for others apart. */
function found({ folder, groups, interfaces }: KernelFixture): string[] {
  const links = readdirSync('/sys/class/net').filter((name) => interfaces.has(interfaceNumber(name)));
  return [...links, ...usedGroups(folder, groups)];
}

/** Our side of a terminal. At the end of the other side, reading fails with EIO. */
class Terminal implements Disposable {
  readonly #stream: ReadStream;
  #text = '';

  constructor(master: number) {
    this.#stream = new ReadStream(master);
    this.#stream.on('error', () => {});
    this.#stream.on('data', (chunk) => {
      this.#text += chunk;
    });
  }

  type(text: string): void {
    (this.#stream as unknown as Writable).write(text);
  }

  async says(text: string): Promise<void> {
    for (let tries = 0; !this.#text.includes(text); tries++) {
      assert.ok(tries < 200, `"${text}" does not come, only ${JSON.stringify(this.#text)}`);
      await sleep(10);
    }
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
  }
}
