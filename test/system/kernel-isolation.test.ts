import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { filterRules } from '../../runtime/containers/seccomp.ts';
import { systemCallNumber } from '../../runtime/syscall/numbers.ts';
import { errnoNumber } from '../../runtime/syscall/system-call.ts';
import { KernelFixture, whyNot } from './kernel-fixture.ts';

/** As a build's root, the most that a container ever gets. */
const BUILDER = {
  uid: 0,
  gid: 0,
  capabilities: [
    'CAP_CHOWN',
    'CAP_DAC_OVERRIDE',
    'CAP_FOWNER',
    'CAP_FSETID',
    'CAP_KILL',
    'CAP_SETGID',
    'CAP_SETUID',
  ],
};

describe('LinuxKernel isolation', () => {
  const containers = new KernelFixture();
  before(async function () {
    if (whyNot()) this.skip();
    await containers.open();
  });
  after(async () => {
    if (!whyNot()) await containers.close();
  });

  /** The results of system calls, each given as name and arguments, by the probe in a container. */
  async function inContainer(calls: Call[], overrides = {}): Promise<number[]> {
    const binds = [{ source: containers.probe(), target: '/probe', readOnly: true }];
    const script = calls.map((call) => `/probe ${toWords(call)}`).join('\n');
    const { output } = await containers.run(script, { binds, ...overrides });
    return output.trim().split('\n').map(Number);
  }

  /** The same on the host, where nothing protects: the negative control. */
  function onHost(calls: Call[]): number[] {
    return calls.map((call) => Number(execFileSync(containers.probe(), toWords(call).split(' '))));
  }

  it('takes every capability, for good, at start and exec', async () => {
    const spec = containers.spec('grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status; sleep 99');
    const status = 'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status';
    const none = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map(
      (name) => `${name}:\t0000000000000000\n`,
    );
    const expected = `${none.join('')}NoNewPrivs:\t1\nSeccomp:\t2\n`;
    await containers.during(spec, async () => {
      assert.equal((await containers.exec(spec, status)).output, expected);
      assert.equal(containers.output(spec), expected);
    });
    assert.doesNotMatch(
      execFileSync('sh', ['-c', status], { encoding: 'utf8' }),
      /CapEff:\t0000000000000000/,
    );
  });

  it('leaves a build’s root the capabilities named, and no others', async () => {
    const { output } = await containers.run('grep -E "^Cap" /proc/self/status', BUILDER);
    assert.match(
      output,
      /CapInh:\t0{16}\nCapPrm:\t00000000000000fb\nCapEff:\t00000000000000fb\nCapBnd:\t00000000000000fb/,
    );
  });

  it('opens descriptors 0 to 2 alone', async () => {
    const count = 'ls /proc/self/fd | sort -n | tr "\\n" " "';
    assert.equal((await containers.run(count)).output, '0 1 2 3 ', '3 is ls reading the folder');
    const spec = containers.spec('sleep 99');
    await containers.during(spec, async () => {
      assert.equal((await containers.exec(spec, count)).output, '0 1 2 3 ');
    });
  });

  it('refuses system calls that lead out of a container', async () => {
    const calls: Call[] = [
      ['unshare', 0x10000000],
      ['clone', 0x10000011, 0, 0, 0, 0],
      ['setns', 0, 0],
      ['mount', 0, 0, 0, 0, 0],
      ['fsopen', 0, 0],
      ['open_tree', 0, 0, 0],
      ['pivot_root', 0, 0],
      ['chroot', 0],
      ['io_uring_setup', 1, 0],
      ['bpf', 0, 0, 0],
      ['keyctl', 0, 0],
      ['add_key', 0, 0, 0, 0],
      ['userfaultfd', 0],
      ['perf_event_open', 0, 0, 0, 0, 0],
      ['open_by_handle_at', 0, 0, 0],
      ['init_module', 0, 0, 0],
      ['kexec_load', 0, 0, 0, 0],
      ['settimeofday', 0, 0],
      ['modify_ldt', 0, 0, 0],
    ];
    const EPERM = -errnoNumber('EPERM');
    for (const user of [{}, BUILDER]) {
      assert.deepEqual(
        await inContainer(calls, user),
        calls.map(() => EPERM),
      );
    }
    const harmless = calls.filter(([name]) => !['clone', 'unshare', 'settimeofday'].includes(name));
    for (const [index, result] of onHost(harmless).entries()) {
      if (harmless[index]![0] === 'perf_event_open') continue;
      assert.notEqual(
        result,
        EPERM,
        `${harmless[index]} is refused on the host too: this test shows nothing`,
      );
    }
  });

  it('answers clone3 and system calls of later kernels with ENOSYS', async () => {
    const calls: Call[] = [['clone3', 0, 0], ['600'], ['1073741863'], ['548']];
    const ENOSYS = -errnoNumber('ENOSYS');
    assert.deepEqual(
      await inContainer(calls),
      calls.map(() => ENOSYS),
    );
    assert.notEqual(onHost([['clone3', 0, 0]])[0], ENOSYS);
  });

  it('kills who uses the i386 ABI', async () => {
    const binds = [{ source: containers.probe(), target: '/probe', readOnly: true }];
    const SIGSYS = 31;
    assert.equal((await containers.run(['/probe', '999999'], { binds })).code, 128 + SIGSYS);
    assert.ok(onHost([['999999']])[0]! > 0, 'the host has no i386 ABI: this test shows nothing');
  });

  it('allows the socket families unix, inet, inet6 and netlink’s routes alone', async () => {
    const STREAM = 1;
    const RAW = 3;
    const families = Array.from({ length: 64 }, (_, family) => family);
    const results = await inContainer(
      families.map((family): Call => ['socket', family, family === 16 ? RAW : STREAM, 0]),
    );
    assert.deepEqual(
      families.filter((family) => results[family]! >= 0),
      [1, 2, 10, 16],
    );

    const netlink = Array.from({ length: 23 }, (_, protocol): Call => ['socket', 16, RAW, protocol]);
    const allowed = (await inContainer(netlink)).flatMap((result, protocol) =>
      result >= 0 ? [protocol] : [],
    );
    assert.deepEqual(allowed, [0]);
    assert.ok(onHost(netlink).filter((result) => result >= 0).length > 1);
  });

  it('refuses TIOCSTI, TIOCLINUX and TCP_ULP', async () => {
    const calls: Call[] = [
      ['ioctl', 0, 0x5412, 0],
      ['ioctl', 0, 0x541c, 0],
      ['ioctl', 0, '0x100005412', 0],
      ['setsockopt', 0, 6, 31, 0, 0],
    ];
    const EPERM = -errnoNumber('EPERM');
    assert.deepEqual(
      await inContainer(calls),
      calls.map(() => EPERM),
    );
    assert.ok(onHost(calls).every((result) => result !== EPERM));
  });

  it('lets through exactly the system calls of the filter’s rules', async function () {
    this.timeout(120_000);
    // uretprobe and uprobe: the kernel lets them past every filter, and refuses them outside of its own trampoline.
    const unfiltered = [335, 336];
    const denied = Array.from({ length: 601 }, (_, number) => number).filter((number) => {
      if (unfiltered.includes(number)) return false;
      const rule = filterRules().get(number) ?? 'ENOSYS';
      return typeof rule === 'string' && rule !== 'allow';
    });
    const results = await inContainer(denied.map((number): Call => [String(number)]));
    const expected = denied.map((number) => -errnoNumber(String(filterRules().get(number) ?? 'ENOSYS')));
    assert.deepEqual(results, expected);
  });

  it('opens nothing under /proc/sys and /sys for writing, even for a build’s root', async () => {
    const script = `
      for root in /proc/sys /sys /proc/sysrq-trigger /proc/irq /proc/bus; do
        find $root -type f 2>/dev/null | head -3000 | while read file; do
          (exec 3>> "$file") 2>/dev/null && echo "$file"
        done
      done; echo done`;
    assert.equal((await containers.run(script, BUILDER)).output, 'done\n');
    assert.equal(
      execFileSync('sh', ['-c', '(exec 3>> /proc/sys/kernel/core_pattern) && echo open'], {
        encoding: 'utf8',
      }),
      'open\n',
    );
  });

  it('masks what tells of the machine', async () => {
    const { output } = await containers.run(
      'cat /proc/kcore /proc/keys /proc/timer_list /proc/interrupts 2>/dev/null; ls -A /sys/firmware /proc/acpi 2>/dev/null; umount /proc/keys 2>&1',
    );
    assert.doesNotMatch(output.replace(/umount.*/s, '').replace(/^\/(sys|proc)\S*:$/gm, ''), /\S/);
    assert.ok(readFileSync('/proc/timer_list').length > 0);
  });

  it('makes no device', async () => {
    for (const user of [{}, BUILDER]) {
      const { output } = await containers.run(
        'cd /tmp; mknod d b 254 0 2>&1; mknod m c 1 1 2>&1; mknod fifo p && echo fifo',
        user,
      );
      assert.match(output, /not permitted.*\n.*not permitted.*\nfifo/);
    }
  });

  it('shows PID 1 and its descriptors to nobody', async () => {
    const attack =
      'ls -l /proc/1/fd /proc/1/exe /proc/1/cwd /proc/1/root 2>&1; cat /proc/1/environ /proc/1/mem 2>&1; echo x > /proc/1/exe; cat /proc/1/maps';
    for (const user of [{}, BUILDER]) {
      const { output } = await containers.run(attack, user);
      assert.doesNotMatch(output, /->|paas|vdso/);
      assert.match(output, /ermission denied/);
    }
  });

  it('keeps the init program as it is, whoever writes to it', async () => {
    const script =
      'for pid in 1 self $$; do for i in 1 2 3; do (echo x > /proc/$pid/exe) 2>/dev/null && echo written; done; done; true';
    assert.equal((await containers.run(script, BUILDER)).output, '');
  });

  it('refuses a working folder behind a descriptor of the host (CVE-2024-21626)', async () => {
    const layer = join(containers.folder, 'descriptors');
    mkdirSync(layer);
    for (let fd = 3; fd < 12; fd++) symlinkSync(`/proc/self/fd/${fd}`, join(layer, `fd${fd}`));
    for (let fd = 3; fd < 12; fd++) {
      for (const cwd of [`/proc/self/fd/${fd}`, `/proc/self/fd/${fd}/../..`, `/fd${fd}`]) {
        const spec = containers.spec('true');
        const rootfs = { ...spec.rootfs, lower: [layer, ...spec.rootfs.lower] };
        const outcome = await containers
          .run('pwd; cat ../../../etc/passwd', { cwd, rootfs })
          .catch((error) => error);
        assert.ok(outcome instanceof Error, `${cwd} gave ${outcome.output}`);
      }
    }
    const spec = containers.spec('sleep 99');
    await containers.during(spec, async () => {
      for (let fd = 3; fd < 64; fd++) {
        const cwd = `/proc/self/fd/${fd}`;
        await assert.rejects(containers.exec(spec, 'pwd', { cwd }), `${cwd} was entered`);
      }
    });
  });

  it('gets nobody out of the root folder who may chroot', async () => {
    const attempt =
      'mkdir -p /tmp/x; perl -e \'chroot "/tmp/x" or print "refused\\n"; chdir ".." for 1..50; chroot "."; print join " ", glob "*"\'';
    const { output } = await containers.run(attempt, {
      ...BUILDER,
      capabilities: [...BUILDER.capabilities, 'CAP_SYS_CHROOT'],
    });
    assert.match(output, /^refused/);
  });

  it('shows nothing of the host in /proc', async () => {
    const { output } = await containers.run('ls /proc | grep -E "^[0-9]+$" | wc -l; cat /proc/1/cgroup');
    assert.ok(Number(output.split('\n')[0]) < 8);
    assert.doesNotMatch(output, /paas-/);
  });
});

type Call = [name: string, ...args: (number | string)[]];

/** The probe's arguments: names as numbers. */
function toWords([name, ...args]: Call): string {
  const number = /^\d+$/.test(name) ? name : systemCallNumber(name);
  return [number, ...args].join(' ');
}
