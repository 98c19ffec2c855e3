import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import type { Operation, OperationArgument } from '../../../runtime/init/operation-list.ts';
import { BASE } from '../engine-process.ts';
import { DOCKER, engineSuite } from '../engine-suite.ts';
import { isolationSuite } from './isolation-suite.ts';
import { ALLOW_ALL, without } from './weakened.ts';

/** Everything that a process can read of itself, of PID 1, of its mounts and of where it came from. */
const EVERYTHING = `
  cd /
  env
  cat /proc/self/mountinfo /proc/mounts /proc/self/mountstats /proc/swaps /proc/net/unix /proc/locks 2>&1
  cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname /proc/keys /proc/cmdline 2>&1
  for pid in /proc/1 /proc/self /proc/$$; do
    for name in cmdline environ comm cgroup cpuset maps smaps numa_maps status stat auxv fdinfo/0 fdinfo/1 fdinfo/2; do
      echo "== $pid/$name"; tr '\\0' '\\n' < $pid/$name; echo
    done
    ls -l $pid/fd $pid/exe $pid/cwd $pid/root $pid/map_files
  done 2>&1`;

describe('a container knows nothing of the host', function () {
  this.timeout(60_000);
  const engine = engineSuite([DOCKER]);

  /** What of the host comes up in a text. */
  function traces(text: string): string[] {
    const paths = [engine.root, '/var/cache/paas', process.execPath, 'docker.sock', 'runtime/'];
    const words = text.split(/[^\w.-]+/);
    return [...paths.filter((path) => text.includes(path)), ...words.filter((word) => word === hostname())];
  }

  for (const [what, options] of Object.entries({
    'an app': [],
    'root inside': ['-u', '0', '--cap-add', 'DAC_OVERRIDE', '--cap-add', 'FOWNER'],
    'a terminal': ['-t'],
  })) {
    it(`neither ${what}, nor an exec there, reads a path or a name of the host`, async () => {
      const run = await engine.client('run', ...options, BASE, 'sh', '-c', EVERYTHING);
      assert.match(run.stdout, /== \/proc\/1\/comm\s+paas-init/);
      // Its own root file system, or one that was mounted in advance.
      assert.match(run.stdout, /upperdir=([0-9a-f]{32}\.)?upper,workdir=([0-9a-f]{32}\.)?work/);
      assert.deepEqual(traces(run.stdout), []);
      await engine.client('run', '-d', '--name', 'host', ...options, BASE, 'sleep', '99');
      const exec = await engine.client(
        'exec',
        ...(what === 'a terminal' ? ['-t'] : []),
        'host',
        'sh',
        '-c',
        EVERYTHING,
      );
      assert.match(exec.stdout, /== \/proc\/1\/comm\s+paas-init/);
      assert.deepEqual(traces(exec.stdout), []);
      await engine.removeContainers();
    });
  }

  it('names its own volume’s folder in mountinfo, and no other', async () => {
    const run = await engine.client('run', '-v', 'mine:/data', BASE, 'cat', '/proc/self/mountinfo');
    const named = run.stdout.split('\n').filter((line) => line.includes(engine.root));
    assert.deepEqual(
      named.map((line) => line.split(' ').slice(3, 5)),
      [[join(engine.root, 'data/volumes/mine'), '/data']],
    );
  });
});

describe('a container’s own view of itself', () => {
  const { containers, weakened } = isolationSuite();

  const BUILDER = { uid: 0, gid: 0, capabilities: ['CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_CHOWN'] };

  it('has the layers’ names without their folders, which named in full would be seen', async () => {
    const script = 'grep " / / " /proc/self/mountinfo';
    assert.ok(!(await containers.run(script)).output.includes(containers.folder));
    const inFull = (operations: Operation[]) => {
      const folder = String(operations.find(({ call }) => call === 'chdir')?.args[0]);
      const name = (argument: OperationArgument) =>
        typeof argument === 'string'
          ? argument.replace(/^upper$|(?<=upperdir=)upper/, `${folder}/upper`)
          : argument;
      return operations.map((operation) =>
        /stack|upper folder/.test(operation.purpose)
          ? { ...operation, args: operation.args.map(name) }
          : operation,
      );
    };
    assert.ok((await weakened.run(script, { edit: inFull })).output.includes(containers.folder));
  });

  it('has an input of its own: root inside changes nothing at /dev/null of the host', async () => {
    // To the mode that it has, so that the control does no harm.
    const script = 'chmod 666 /proc/self/fd/0 2>&1 && echo changed';
    const before = statSync('/dev/null', { bigint: true }).ctimeNs;
    assert.match((await containers.run(script, BUILDER)).output, /Read-only file system/);
    const spec = containers.spec('sleep 99', BUILDER);
    await containers.during(spec, async () => {
      assert.match((await containers.exec(spec, script, BUILDER)).output, /Read-only file system/);
    });
    assert.equal(statSync('/dev/null', { bigint: true }).ctimeNs, before);

    const open = { edit: without('connect descriptor 0 to /dev/null') };
    assert.equal((await weakened.run(script, open, BUILDER)).output, 'changed\n');
    assert.equal((await weakened.exec(script, open, BUILDER)).output, 'changed\n');
    assert.notEqual(statSync('/dev/null', { bigint: true }).ctimeNs, before);
  });

  it('has a keyring without a key of the host', async () => {
    const KEYCTL = 250;
    const script = `print syscall(${KEYCTL}, 0, -3, 0)`; // KEYCTL_GET_KEYRING_ID of the session's.
    const ofChild = () => execFileSync('perl', ['-e', script], { encoding: 'utf8' });
    const ofHost = ofChild();
    assert.equal(ofChild(), ofHost, 'children have that of their parent');
    const open = { filter: ALLOW_ALL };
    const inside = (await weakened.run(['perl', '-e', script], open, BUILDER)).output;
    assert.ok(Number(inside) > 0);
    assert.notEqual(inside, ofHost);
    const search = `my $n = syscall(${KEYCTL}, 11, -3, 0, 0); print $n / 4`; // KEYCTL_READ: the ids of its keys.
    assert.equal((await weakened.run(['perl', '-e', search], open, BUILDER)).output, '0');
  });
});
