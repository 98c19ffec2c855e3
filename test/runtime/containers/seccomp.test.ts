import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { compileFilter, type FilterRules, filterRules } from '../../../runtime/containers/seccomp.ts';
import { SYSTEM_CALL_NUMBERS, systemCallNumber } from '../../../runtime/syscall/numbers.ts';
import { errnoNumber } from '../../../runtime/syscall/system-call.ts';

const X86_64 = 0xc000_003e;
const I386 = 0x4000_0003;

describe('compileFilter()', () => {
  const filter = compileFilter(filterRules());

  it('gives every system call the verdict of its rule', () => {
    const rules = filterRules();
    for (let number = 0; number < 700; number++) {
      const rule = rules.get(number) ?? 'ENOSYS';
      if (typeof rule === 'string') assert.equal(run(filter, number), rule, `system call ${number}`);
    }
  });

  it('is the same for rules in every order and number', () => {
    for (const step of [1, 2, 3, 7]) {
      const rules: FilterRules = new Map();
      for (let number = 0; number < 470; number += step) rules.set(number, number % 2 ? 'allow' : 'EPERM');
      const program = compileFilter(rules);
      for (let number = 0; number < 500; number++) {
        assert.equal(
          run(program, number),
          rules.get(number) ?? 'ENOSYS',
          `step ${step}, system call ${number}`,
        );
      }
    }
  });

  it('kills another ABI, and does not know x32', () => {
    assert.equal(run(filter, systemCallNumber('getpid'), [], I386), 'kill');
    const X32_BIT = 0x4000_0000;
    assert.equal(run(filter, X32_BIT + systemCallNumber('getpid')), 'ENOSYS');
    assert.equal(run(filter, 0xffff_ffff), 'ENOSYS');
  });

  it('looks at the arguments of clone, socket, setsockopt, ioctl, setxattr and personality', () => {
    const verdict = (name: string, ...args: number[]) => run(filter, systemCallNumber(name), args);
    const THREAD = 0x003d_0f00;
    assert.equal(verdict('clone', THREAD), 'allow');
    for (let bit = 0; bit < 32; bit++) {
      const isNamespace = [17, 25, 26, 27, 28, 29, 30].includes(bit);
      assert.equal(verdict('clone', 2 ** bit), isNamespace ? 'EPERM' : 'allow', `bit ${bit}`);
    }
    for (let family = 0; family < 64; family++) {
      const expected = [1, 2, 10, 16].includes(family) ? 'allow' : 'EAFNOSUPPORT';
      assert.equal(verdict('socket', family, 1, 0), expected, `family ${family}`);
    }
    assert.equal(verdict('socket', 16, 3, 9), 'EPROTONOSUPPORT');
    assert.equal(verdict('socketpair', 1), 'allow');
    assert.equal(verdict('socketpair', 2), 'EAFNOSUPPORT');
    assert.equal(verdict('setsockopt', 0, 6, 31), 'EPERM');
    assert.equal(verdict('setsockopt', 0, 6, 1), 'allow');
    assert.equal(verdict('setsockopt', 0, 1, 31), 'allow');
    assert.equal(verdict('ioctl', 0, 0x5412), 'EPERM');
    assert.equal(verdict('ioctl', 0, 0x541c), 'EPERM');
    assert.equal(verdict('ioctl', 0, 0x5413), 'allow');
    for (const name of ['setxattr', 'lsetxattr', 'fsetxattr']) {
      assert.equal(verdict(name, 0, 0, 0, 511), 'allow');
      assert.equal(verdict(name, 0, 0, 0, 512), 'E2BIG');
      assert.equal(verdict(name, 0, 0, 0, 0x1_0000), 'E2BIG');
    }
    assert.equal(verdict('setxattrat'), 'ENOSYS');
    assert.equal(verdict('personality', 0xffff_ffff), 'allow');
    assert.equal(verdict('personality', 0x0040000), 'EPERM');
  });

  it('is small: every system call of every app runs through it', () => {
    assert.ok(filter.length / 8 < 128, `${filter.length / 8} instructions`);
  });
});

describe('filterRules()', () => {
  it('allows nothing that Docker does not', () => {
    const text = readFileSync(new URL('../../fixtures/docker-seccomp.txt', import.meta.url), 'utf8');
    const docker = new Set(text.replace(/^#.*/, '').trim().split(/\s+/));
    const allowed = [...filterRules()].filter(
      ([, rule]) => !(typeof rule === 'string' && rule.startsWith('E')),
    );
    const names = new Map([...SYSTEM_CALL_NUMBERS].map(([name, number]) => [number, name]));
    assert.deepEqual(
      allowed.map(([number]) => names.get(number)!).filter((name) => !docker.has(name)),
      [],
    );
    assert.ok(docker.size > allowed.length);
  });

  it('refuses what has let containers out', () => {
    const refused = `unshare setns mount umount2 pivot_root chroot fsopen fsmount move_mount open_tree mount_setattr bpf
      perf_event_open userfaultfd io_uring_setup io_uring_enter keyctl add_key request_key open_by_handle_at init_module
      finit_module kexec_load reboot swapon iopl ioperm modify_ldt settimeofday clock_settime acct quotactl syslog`;
    for (const name of refused.split(/\s+/))
      assert.equal(filterRules().get(systemCallNumber(name)), 'EPERM', name);
    assert.equal(filterRules().get(systemCallNumber('clone3')), 'ENOSYS');
  });

  it('has a rule for every system call that we know', () => {
    for (const [name, number] of SYSTEM_CALL_NUMBERS) assert.ok(filterRules().has(number), name);
  });
});

/** Classic BPF as the kernel runs it on `struct seccomp_data` (linux/filter.h). */
function run(program: Buffer, number: number, args: number[] = [], arch = X86_64): string {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(arch, 4);
  for (const [index, value] of args.entries()) data.writeUInt32LE(value, 16 + 8 * index);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const code = program.readUInt16LE(at * 8);
    const yes = program.readUInt8(at * 8 + 2);
    const no = program.readUInt8(at * 8 + 3);
    const value = program.readUInt32LE(at * 8 + 4);
    const jump = (holds: boolean) => {
      at += holds ? yes : no;
    };
    if (code === 0x20) accumulator = data.readUInt32LE(value);
    else if (code === 0x05) at += value;
    else if (code === 0x15) jump(accumulator === value);
    else if (code === 0x35) jump(accumulator >= value);
    else if (code === 0x45) jump((accumulator & value) !== 0);
    else if (code === 0x06) return describeAction(value);
    else throw new Error(`instruction ${code} at ${at}`);
  }
}

function describeAction(action: number): string {
  if (action === 0x7fff_0000) return 'allow';
  if (action === 0x8000_0000) return 'kill';
  const names = ['EPERM', 'E2BIG', 'ENOSYS', 'EAFNOSUPPORT', 'EPROTONOSUPPORT'];
  return names.find((name) => 0x0005_0000 + errnoNumber(name) === action) ?? `action ${action}`;
}
