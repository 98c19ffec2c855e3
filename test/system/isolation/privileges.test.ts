import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, it } from 'mocha';
import { BASE as BASE_PATHS } from '../../../runtime/containers/plan/base-namespace.ts';
import { planBindSources } from '../../../runtime/containers/plan/mount-plan.ts';
import type { Operation } from '../../../runtime/init/operation-list.ts';
import { AT, MOVE_MOUNT } from '../../../runtime/syscall/constants.ts';
import { BASE } from '../engine-process.ts';
import { DOCKER, engineSuite } from '../engine-suite.ts';
import { isolationSuite } from './isolation-suite.ts';
import { without } from './weakened.ts';

/** What root inside may have at most (api/policy.ts), and what it is as a number. */
const GRANTED = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETFCAP'].map(
  (name) => `CAP_${name}`,
);
const GRANTED_MASK = '00000000800000fb';
const NONE = '0000000000000000';
const ROOT = { uid: 0, gid: 0, capabilities: GRANTED, userNamespace: true };
const HOST_ROOT = { ...ROOT, userNamespace: false };

const STATUS = 'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status | tr "\\n\\t" "  "';
const status = (capabilities: string) =>
  `CapInh: ${NONE} CapPrm: ${capabilities} CapEff: ${capabilities} CapBnd: ${capabilities} CapAmb: ${NONE} NoNewPrivs: 1 Seccomp: 2 `;

describe('privileges in a container', () => {
  const { containers, weakened } = isolationSuite();

  for (const [who, { user, expected }] of Object.entries({
    'an app none': { user: {}, expected: status(NONE) },
    'root inside the eight of a build': { user: ROOT, expected: status(GRANTED_MASK) },
    'root inside without any none': { user: { ...ROOT, capabilities: [] }, expected: status(NONE) },
  })) {
    it(`leaves ${who}, for good, at start and exec`, async () => {
      assert.equal((await containers.run(STATUS, user)).output, expected);
      const spec = containers.spec('sleep 99', user);
      await containers.during(spec, async () => {
        assert.equal((await containers.exec(spec, STATUS, user)).output, expected);
      });
    });
  }

  it('would leave more if a step were missing', async () => {
    const seen = async (...missing: string[]) =>
      (await weakened.run(STATUS, { edit: without(...missing) }, HOST_ROOT)).output;
    assert.match(await seen('bounding set'), /CapBnd: 0*1[0-9a-f]{10} /);
    assert.match(await seen('bounding set', 'give up capabilities'), /CapEff: 0*1[0-9a-f]{10} /);
    assert.match(await seen('give up new privileges', 'system call filter'), /NoNewPrivs: 0/);
    assert.match(await seen('system call filter'), /Seccomp: 0/);
  });

  it('shows PID 1, its memory and its descriptors to nobody', async () => {
    const attack =
      'ls -l /proc/1/fd /proc/1/exe /proc/1/cwd /proc/1/root /proc/1/map_files; for name in environ mem maps smaps auxv stack syscall; do cat /proc/1/$name; done; echo x > /proc/1/exe';
    for (const user of [{}, ROOT, HOST_ROOT]) {
      const { output } = await containers.run(`(${attack}) 2>&1`, user);
      assert.doesNotMatch(output, /->|memfd|vdso|total [1-9]/);
      assert.match(output, /ermission denied/);
    }
    const weak = await weakened.run(attack, { edit: without('shut out debuggers') }, HOST_ROOT);
    assert.match(weak.output, /exe -> \/memfd:init/);
  });

  it('sees its own processes alone', async () => {
    const script = 'ls /proc | grep -c "^[0-9]"; kill -0 -1 2>/dev/null; cat /proc/1/comm';
    const { output } = await containers.run(script);
    const [count, name] = output.trim().split('\n');
    assert.ok(Number(count) <= 5, `${count} processes`);
    assert.equal(name, 'paas-init');
    // As bind mounts are it is private: where the host's mounts are shared, as systemd makes them, what the container mounts in there would be mounted on the host.
    const leaked = { source: '/proc', target: '/proc', readOnly: false, isFolder: true };
    const leak = planBindSources([leaked], { mapOwners: false });
    const hostProc = (operations: Operation[]) => [
      ...leak,
      ...operations.map((operation): Operation => {
        if (operation.purpose !== 'mount "/proc"') return operation;
        const args = [{ result: leak[0]!.result! }, '', AT.FDCWD, BASE_PATHS.proc, MOVE_MOUNT.F_EMPTY_PATH];
        return { call: 'move_mount', args, purpose: operation.purpose };
      }),
    ];
    const ofHost = () =>
      readFileSync('/proc/mounts', 'utf8')
        .split('\n')
        .filter((line) => line.includes(' /proc/'));
    const before = ofHost();
    const open = await weakened.run(script, { edit: hostProc });
    assert.ok(Number(open.output.split('\n')[0]) > 20);
    assert.deepEqual(ofHost(), before, 'the host’s /proc is as it was');
  });
});

describe('users of execs and containers', function () {
  this.timeout(60_000);
  const engine = engineSuite([DOCKER]);

  const REFUSED = [
    '-1',
    '4294967295',
    '4294967296',
    '18446744073709551616',
    '1000:',
    '2147483648',
    '1000:2147483648',
    ':nosuchgroup',
    ':',
    'root\n',
    '\n',
    'root ',
    ' 0',
    '0x0',
    '00000000000',
    '1e3',
    'nosuchuser',
    '1000:nosuchgroup',
    '1000:-1',
    '1000:4294967295',
    'a:b:c',
    'root:root:root',
    '../root',
    'root\u0000',
  ];
  const ACCEPTED: Record<string, string> = {
    '': '70000 70000 70000',
    app: '70000 70000 70000',
    70000: '70000 70000 70000',
    1000: '1000 0 0',
    '1000:5': '1000 5 5',
    ':5': '0 5 5',
    'nobody:tty': '65534 5 5',
    2147483647: '2147483647 0 0',
    0: '0 0 0',
    'root:root': '0 0 0',
  };
  const WHO = 'echo $(id -u) $(id -g) $(id -G)';

  it('get a processor after the runtime, and like everybody else', async () => {
    const container = await engine.docker.createContainer({ Image: BASE, Cmd: ['sleep', '99'] });
    await container.start();
    const { State } = await container.inspect();
    const exec = await container.exec({ Cmd: ['cut', '-d ', '-f19', '/proc/self/stat'], AttachStdout: true });
    const stream = await exec.start({});
    assert.match(await text(stream), /\b0\n$/);
    assert.deepEqual([niceOf(State.Pid), niceOf(engine.pid)], ['0', '-10']);
    await container.remove({ force: true });
  });

  it(`are exactly those that were asked for, or refused: ${REFUSED.length} refused, ${Object.keys(ACCEPTED).length} accepted (CVE-2026-30892, 2024-40635)`, async () => {
    const holder = await engine.docker.createContainer({
      Image: BASE,
      Cmd: ['sleep', '99'],
      HostConfig: { AutoRemove: true },
    });
    await holder.start();
    for (const User of REFUSED) {
      const body = { User, Cmd: ['id'], AttachStdout: true };
      await assert.rejects(holder.exec(body), { statusCode: 400 }, `exec as ${JSON.stringify(User)}`);
      await assert.rejects(
        engine.docker.createContainer({ Image: BASE, ...body }),
        { statusCode: 400 },
        JSON.stringify(User),
      );
    }
    for (const [user, expected] of Object.entries(ACCEPTED)) {
      const run = await engine.client('run', '--rm', ...(user ? ['-u', user] : []), BASE, 'sh', '-c', WHO);
      assert.equal(run.stdout.trim(), expected, `run as ${user}: ${run.stderr}`);
      const exec = await engine.client('exec', ...(user ? ['-u', user] : []), holder.id, 'sh', '-c', WHO);
      assert.equal(exec.stdout.trim(), expected, `exec as ${user}: ${exec.stderr}`);
    }
  });
});

/** Of a process, or the first thread of one; see proc_pid_stat(5). */
function niceOf(pid: number): string | undefined {
  return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')[16];
}
