import { AF, NETLINK_ROUTE, TIO } from '../syscall/constants.ts';
import { SYSTEM_CALL_NUMBERS, systemCallNumber } from '../syscall/numbers.ts';
import { errnoNumber } from '../syscall/system-call.ts';
import { ALLOWED_SYSTEM_CALLS } from './seccomp-allowed.ts';

/** What happens to a system call: `allow`, or it fails with this errno. */
export type Verdict = 'allow' | `E${string}`;

/** A verdict that depends on an argument: the first test that holds decides. */
export interface ArgumentRules {
  tests: {
    /** From 0. Only the lower 32 bits are looked at: the kernel cuts the rest off too (CVE-2019-10063). */
    argument: number;
    /** Equal to one of these, or to none of them, or any of these bits set. */
    is: { equal: readonly number[] } | { notEqual: readonly number[] } | { anyBit: number };
    verdict: Verdict;
  }[];
  otherwise: Verdict;
}

/** The rule of each system call of x86-64, by number; numbers without a rule fail with ENOSYS. */
export type FilterRules = Map<number, Verdict | ArgumentRules>;

/**
 * What containers may call: Docker's list without what needs privileges, and without what only attackers use. Everything
 * else that exists is EPERM; what is newer than this list is ENOSYS, so that libraries fall back.
 */
export function filterRules(): FilterRules {
  const rules: FilterRules = new Map();
  for (const number of SYSTEM_CALL_NUMBERS.values()) rules.set(number, 'EPERM');
  for (const name of ALLOWED_SYSTEM_CALLS) rules.set(systemCallNumber(name), 'allow');
  for (const [name, rule] of Object.entries(SPECIAL_RULES)) rules.set(systemCallNumber(name), rule);
  return rules;
}

/** The BPF program of seccomp(2) for these rules; another ABI kills the process. */
export function compileFilter(rules: FilterRules): Buffer {
  const program = new FilterProgram();
  const search = program.load(OFFSET.NUMBER, addSearch(program, toRanges(rules)));
  const kill = program.give(SECCOMP_RET.KILL_PROCESS);
  program.load(OFFSET.ARCH, program.compare(BPF.JEQ, AUDIT_ARCH_X86_64, { yes: search, no: kill }));
  return program.bytes();
}

/** Every namespace flag that clone(2) takes; 0x80, CLONE_NEWTIME, is part of the exit signal there. */
const CLONE_NAMESPACES = 0x7e02_0000;
const SOL_TCP = 6;
const TCP_ULP = 31;
/** PER_LINUX, PER_LINUX32, UNAME26, both, and "tell the current one", as Docker. */
const PERSONALITIES = [0, 8, 0x20000, 0x20008, 0xffff_ffff];

/**
 * Attributes of files, of less than 512 bytes. The kernel counts a list of who may use a file (system.posix_acl_access) as nobody's memory: it would be
 * 64 KB with each empty file in memory. So it is 1 KB, for 63 users, and what holds it costs the container as much. Above 4 GB the kernel refuses them.
 */
const SHORT_ATTRIBUTES: ArgumentRules = {
  tests: [{ argument: 3, is: { anyBit: 0xffff_fe00 }, verdict: 'E2BIG' }],
  otherwise: 'allow',
};

const SPECIAL_RULES: Record<string, Verdict | ArgumentRules> = {
  /** CVE-2022-0185 and its like need a user namespace first. Its flags are behind a pointer: glibc falls back to clone. */
  clone3: 'ENOSYS',
  clone: {
    tests: [{ argument: 0, is: { anyBit: CLONE_NAMESPACES }, verdict: 'EPERM' }],
    otherwise: 'allow',
  },
  socket: {
    tests: [
      { argument: 0, is: { equal: [AF.UNIX, AF.INET, AF.INET6] }, verdict: 'allow' },
      { argument: 0, is: { notEqual: [AF.NETLINK] }, verdict: 'EAFNOSUPPORT' },
      { argument: 2, is: { equal: [NETLINK_ROUTE] }, verdict: 'allow' },
    ],
    otherwise: 'EPROTONOSUPPORT',
  },
  socketpair: {
    tests: [{ argument: 0, is: { equal: [AF.UNIX] }, verdict: 'allow' }],
    otherwise: 'EAFNOSUPPORT',
  },
  /** Kernel TLS and other upper layer protocols: CVE-2023-0461. */
  setsockopt: {
    tests: [
      { argument: 1, is: { notEqual: [SOL_TCP] }, verdict: 'allow' },
      { argument: 2, is: { equal: [TCP_ULP] }, verdict: 'EPERM' },
    ],
    otherwise: 'allow',
  },
  /** Typing into the terminal of whoever attached: CVE-2017-5226, CVE-2023-28100. */
  ioctl: {
    tests: [{ argument: 1, is: { equal: [TIO.STI, TIO.LINUX] }, verdict: 'EPERM' }],
    otherwise: 'allow',
  },
  setxattr: SHORT_ATTRIBUTES,
  lsetxattr: SHORT_ATTRIBUTES,
  fsetxattr: SHORT_ATTRIBUTES,
  /** The length is behind a pointer. */
  setxattrat: 'ENOSYS',
  personality: {
    tests: [{ argument: 0, is: { equal: PERSONALITIES }, verdict: 'allow' }],
    otherwise: 'EPERM',
  },
};

const AUDIT_ARCH_X86_64 = 0xc000_003e;
const SECCOMP_RET = { KILL_PROCESS: 0x8000_0000, ERRNO: 0x0005_0000, ALLOW: 0x7fff_0000 } as const;
/** In `struct seccomp_data`. */
const OFFSET = { NUMBER: 0, ARCH: 4, ARGUMENTS: 16 } as const;
/** Instructions of classic BPF, linux/bpf_common.h. */
const BPF = { LD_W_ABS: 0x20, JA: 0x05, JEQ: 0x15, JGE: 0x35, JSET: 0x45, RET: 0x06 } as const;
/** Jumps of a comparison have eight bits. */
const MAX_JUMP = 255;

interface Range {
  first: number;
  rule: Verdict | ArgumentRules;
}

/** Neighbouring numbers with the same rule as one; the last range reaches to the end, x32's numbers included. */
function toRanges(rules: FilterRules): Range[] {
  const ranges: Range[] = [];
  const end = Math.max(...rules.keys()) + 1;
  for (let number = 0; number <= end; number++) {
    const rule = rules.get(number) ?? 'ENOSYS';
    if (ranges.at(-1)?.rule !== rule) ranges.push({ first: number, rule });
  }
  return ranges;
}

/** Binary search: about eight comparisons a call. */
function addSearch(program: FilterProgram, ranges: Range[]): Place {
  if (ranges.length === 1) return addRule(program, ranges[0]!.rule);
  const middle = ranges.length >> 1;
  const no = addSearch(program, ranges.slice(0, middle));
  const yes = addSearch(program, ranges.slice(middle));
  return program.compare(BPF.JGE, ranges[middle]!.first, { yes, no });
}

function addRule(program: FilterProgram, rule: Verdict | ArgumentRules): Place {
  if (typeof rule === 'string') return program.give(actionOf(rule));
  return rule.tests.reduceRight(
    (next, test) => addTest(program, test, next),
    program.give(actionOf(rule.otherwise)),
  );
}

/** `next`: where it goes on when the test does not hold. */
function addTest(
  program: FilterProgram,
  { argument, is, verdict }: ArgumentRules['tests'][number],
  next: Place,
): Place {
  const give = program.give(actionOf(verdict));
  const first =
    'anyBit' in is
      ? program.compare(BPF.JSET, is.anyBit, { yes: give, no: next })
      : 'equal' in is
        ? addEqual(program, is.equal, { yes: give, no: next })
        : addEqual(program, is.notEqual, { yes: next, no: give });
  return program.load(OFFSET.ARGUMENTS + 8 * argument, first);
}

function addEqual(program: FilterProgram, values: readonly number[], { yes, no }: Branches): Place {
  return values.reduceRight((next, value) => program.compare(BPF.JEQ, value, { yes, no: next }), no);
}

function actionOf(verdict: Verdict): number {
  return verdict === 'allow' ? SECCOMP_RET.ALLOW : SECCOMP_RET.ERRNO | errnoNumber(verdict);
}

/** An instruction, by how many come after it. */
type Place = number;
/** Where a comparison goes on. */
type Branches = { yes: Place; no: Place };

/**
 * Classic BPF instructions, `struct sock_filter` each. They are added from the last to the first: jumps only go forward, so that what an instruction goes on to
 * is known, and one that gives a verdict serves all that come before it. The kernel translates and keeps a program for each container: it is short.
 */
class FilterProgram {
  readonly #instructions: Buffer[] = [];
  /** By action: the nearest that gives it. */
  readonly #given = new Map<number, Place>();

  /** Gives the verdict. */
  give(action: number): Place {
    const known = this.#given.get(action);
    if (known !== undefined && this.#distance(known) <= MAX_JUMP / 2) return known;
    const place = this.#add(BPF.RET, { value: action });
    this.#given.set(action, place);
    return place;
  }

  load(offset: number, next: Place): Place {
    this.#near(next, 0);
    return this.#add(BPF.LD_W_ABS, { value: offset });
  }

  compare(code: number, value: number, { yes, no }: Branches): Place {
    const [nearYes, nearNo] = [this.#near(yes, MAX_JUMP - 1), this.#near(no, MAX_JUMP)];
    return this.#add(code, { value, yes: this.#distance(nearYes), no: this.#distance(nearNo) });
  }

  bytes(): Buffer {
    return Buffer.concat(this.#instructions.toReversed());
  }

  /** How many instructions the next one to be added would jump over. */
  #distance(to: Place): number {
    return this.#instructions.length - 1 - to;
  }

  /** The place, or a jump to it if that is further away. */
  #near(place: Place, most: number): Place {
    const distance = this.#distance(place);
    return distance <= most ? place : this.#add(BPF.JA, { value: distance });
  }

  #add(code: number, { value, yes = 0, no = 0 }: { value: number; yes?: number; no?: number }): Place {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(code, 0);
    bytes.writeUInt8(yes, 2);
    bytes.writeUInt8(no, 3);
    bytes.writeUInt32LE(value >>> 0, 4);
    this.#instructions.push(bytes);
    return this.#instructions.length - 1;
  }
}
