import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'mocha';
import { type FilterRules, filterRules } from '../../../runtime/containers/seccomp.ts';
import { systemCallNumber } from '../../../runtime/syscall/numbers.ts';
import { errnoNumber } from '../../../runtime/syscall/system-call.ts';
import { isolationSuite } from './isolation-suite.ts';
import { ALLOW_ALL } from './weakened.ts';

const LAST = 600;
const SIGSYS = 1031;
const SIGALRM = 1014;
const SIGSEGV = 1011;
/** The kernel lets uretprobe and uprobe past every filter, and refuses them outside of its own trampoline. */
const PAST_EVERY_FILTER = [335, 336];

describe('system calls in a container', function () {
  this.timeout(120_000);
  const { containers, weakened } = isolationSuite();

  type Abi = 'x64' | 'x32' | 'i386';
  const command = (abi: Abi, last = LAST) => ['/sweep', abi, '0', String(last)];
  const binds = () => [{ source: containers.probe('sweep'), target: '/sweep', readOnly: true }];
  const results = ({ output }: { output: string }) =>
    new Map(
      output
        .trim()
        .split('\n')
        .map((line) => line.split(' ').map(Number) as [number, number]),
    );

  it(`answers each of ${LAST + 1} numbers as the filter's rules say`, async () => {
    const filtered = results(await containers.run(command('x64'), { binds: binds() }));
    const open = results(await weakened.run(command('x64'), { filter: ALLOW_ALL }, { binds: binds() }));
    assert.equal(filtered.size, LAST + 1);
    assert.equal(open.size, LAST + 1);
    const differing = [];
    for (const [number, result] of filtered) {
      const rule = filterRules().get(number) ?? 'ENOSYS';
      if (typeof rule !== 'string' || PAST_EVERY_FILTER.includes(number)) continue;
      const expected = rule === 'allow' ? open.get(number) : errnoNumber(rule);
      const waits = rule === 'allow' && [result, expected].includes(SIGALRM);
      if (result !== expected && !waits) differing.push({ number, rule, result, expected });
    }
    assert.deepEqual(differing, []);
    const stopped = [...filtered].filter(([number, result]) => result !== open.get(number));
    assert.ok(stopped.length > 40, `the filter stops ${stopped.length}: this test shows nothing`);
  });

  it(`knows none of ${LAST + 1} numbers of the x32 ABI`, async () => {
    const x32 = results(await containers.run(command('x32'), { binds: binds() }));
    assert.deepEqual(new Set(x32.values()), new Set([errnoNumber('ENOSYS')]));
  });

  it('kills who uses a system call of i386', async () => {
    const i386 = results(await containers.run(command('i386'), { binds: binds() }));
    assert.equal(i386.size, LAST + 1);
    // Not further: sigsuspend, number 72, never comes back.
    const open = results(await weakened.run(command('i386', 60), { filter: ALLOW_ALL }, { binds: binds() }));
    // A kernel without them (ia32_emulation=off) has no way in that the filter could close.
    const hasNone = [...open.values()].every((result) => result === SIGSEGV);
    assert.deepEqual(new Set(i386.values()), new Set([hasNone ? SIGSEGV : SIGSYS]));
    const alive = [...open.values()].filter((result) => result < 1000);
    assert.ok(hasNone || alive.length > 30, 'without the filter i386 is dead too: this test shows nothing');
  });

  /** The results of system calls, each by the probe in a container. */
  async function answers(
    calls: Call[],
    options: { rules?: FilterRules; filter?: Uint8Array } = {},
  ): Promise<number[]> {
    const mounts = [{ source: containers.probe(), target: '/probe', readOnly: true }];
    const script = calls.map((call) => `/probe ${toWords(call)}`).join('\n');
    const { output } =
      'filter' in options
        ? await weakened.run(script, options, { binds: mounts })
        : await containers.run(script, { binds: mounts });
    return output.trim().split('\n').map(Number);
  }

  it('makes sockets of the families unix, inet, inet6, and netlink for routes, of 64 families and 23 protocols', async () => {
    const [STREAM, RAW, NETLINK] = [1, 3, 16];
    const families = Array.from(
      { length: 64 },
      (_, family): Call => ['socket', family, family === NETLINK ? RAW : STREAM, 0],
    );
    const protocols = Array.from({ length: 23 }, (_, protocol): Call => ['socket', NETLINK, RAW, protocol]);
    const allowed = (list: number[]) => list.flatMap((result, index) => (result >= 0 ? [index] : []));
    assert.deepEqual(allowed(await answers(families)), [1, 2, 10, NETLINK]);
    assert.deepEqual(allowed(await answers(protocols)), [0]);
    assert.ok(allowed(await answers(families, { filter: ALLOW_ALL })).length > 4);
    assert.ok(allowed(await answers(protocols, { filter: ALLOW_ALL })).length > 1);
  });

  it('refuses TIOCSTI, TIOCLINUX and TCP_ULP, also with bits that the kernel cuts off', async () => {
    const calls: Call[] = [
      ['ioctl', 0, 0x5412, 0],
      ['ioctl', 0, 0x541c, 0],
      ['ioctl', 0, '0x100005412', 0],
      ['setsockopt', 0, 6, 31, 0, 0],
    ];
    const refused = calls.map(() => -errnoNumber('EPERM'));
    assert.deepEqual(await answers(calls), refused);
    assert.ok((await answers(calls, { filter: ALLOW_ALL })).every((result) => result !== refused[0]));
  });

  it('types nothing into the terminal that somebody attached (TIOCSTI)', async () => {
    const type = `perl -e '$x = "x"; print ioctl(STDIN, 0x5412, $x) ? "typed" : "errno " . ($! + 0)'`;
    const spec = containers.spec(`${type} > /tmp/answer; sleep 99`, {
      stdio: { terminal: { rows: 9, columns: 9 } },
    });
    await containers.during(spec, async () => {
      assert.equal(
        (
          await containers.exec(
            spec,
            'for try in $(seq 100); do [ -s /tmp/answer ] && break; sleep 0.05; done; cat /tmp/answer',
          )
        ).output,
        'errno 1',
      );
    });
    const onHost = execFileSync('script', ['-qec', type, '/dev/null'], { input: '', encoding: 'utf8' });
    assert.match(onHost, /typed/);
  });

  it('makes no namespace, whatever flag: clone, clone3, unshare, setns', async () => {
    const flags = [0x80, 0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];
    const SIGCHLD = 17;
    const calls = flags.flatMap((flag): Call[] => [
      ['unshare', flag],
      ['setns', 0, flag],
      ...(flag === 0x80 ? [] : [['clone', flag + SIGCHLD, 0, 0, 0, 0] as Call]),
    ]);
    assert.deepEqual(
      await answers(calls),
      calls.map(() => -errnoNumber('EPERM')),
    );
    for (const flag of flags) {
      const onHost = execFileSync(containers.probe(), toWords(['unshare', flag]).split(' '), {
        encoding: 'utf8',
      });
      assert.equal(onHost, '0\n', `the host refuses flag ${flag} too: this test shows nothing`);
    }
    assert.deepEqual(await answers([['clone3', 0, 0]]), [-errnoNumber('ENOSYS')]);
  });
});

type Call = [name: string, ...args: (number | string)[]];

/** The probe's arguments: names as numbers. */
function toWords([name, ...args]: Call): string {
  return [systemCallNumber(name), ...args].join(' ');
}
