import { type Operation, planFileWrite } from '../../init/operation-list.ts';
import { RLIMIT } from '../../syscall/constants.ts';
import type { ProcessLimits } from '../kernel.ts';
import { SetupError } from '../setup-error.ts';
import type { HostFacts } from './host-facts.ts';

/** What is asked for, over our own: no core dumps, since the kernel would hand them to a program of the host (core_pattern). */
export function planResourceLimits({ openFiles }: HostFacts, { ulimits = [] }: ProcessLimits): Operation[] {
  const own = [
    { name: 'core', soft: 0, hard: 0 },
    { name: 'nofile', ...openFiles },
  ];
  const isAsked = ({ name }: { name: string }) => ulimits.some((asked) => asked.name === name);
  const asked = ulimits.filter(({ name }) => !OF_THE_APP.includes(name));
  return [
    ...UNLIMITED.filter(({ name }) => !isAsked({ name })).map(({ operation }) => operation),
    ...[...own.filter((limit) => !isAsked(limit)), ...asked].map(planLimit),
  ];
}

/** PID 1 writes the app's output to a file, for as long as the app runs. */
const OF_THE_APP = ['fsize', 'cpu'];

/** Those of what is asked for that are for the app's own processes and not for PID 1. */
export function planAppLimits({ ulimits = [] }: ProcessLimits): Operation[] {
  return ulimits.filter(({ name }) => OF_THE_APP.includes(name)).map(planLimit);
}

/**
 * The kernel compares these with what all processes of a user have, and apps are all one user outside: one app could leave the
 * others none. Control groups bound them instead. A runtime that may not raise hard limits leaves them as they are.
 */
const COUNTED_BY_USER = ['nproc', 'sigpending', 'msgqueue'];

const UNLIMITED = COUNTED_BY_USER.map((name): { name: string; operation: Operation } => ({
  name,
  operation: { ...planLimit({ name, soft: -1, hard: -1 }), tolerate: 'EPERM' },
}));

function planLimit({ name, soft, hard }: { name: string; soft: number; hard: number }): Operation {
  return {
    call: 'prlimit64',
    args: [0, resourceNumber(name), resourceLimit(soft, hard), null],
    purpose: `set the limit "${name}" to ${soft} and ${hard}`,
  };
}

/** Who is killed first when the machine has no memory left; see proc_pid_oom_score_adj(5). With the host's /proc. */
export function planOomScore({ oomScoreAdj = 0 }: ProcessLimits): Operation[] {
  if (oomScoreAdj === 0) return [];
  return planWrite('/proc/self/oom_score_adj', String(oomScoreAdj));
}

/** Its own settings of the kernel, in the host's /proc: which network and which message queues they are of, the process's namespaces say. */
export function planSysctls(sysctls: Record<string, string> = {}): Operation[] {
  return Object.entries(sysctls).flatMap(([name, value]) =>
    planWrite(`/proc/sys/${name.replaceAll('.', '/')}`, value),
  );
}

/** Writes into a file that is there. */
function planWrite(path: string, text: string): Operation[] {
  return [planFileWrite(path, text, { purpose: `write "${text}" to "${path}"` })];
}

function resourceNumber(name: string): number {
  const number = (RLIMIT as Record<string, number>)[name.toUpperCase()];
  if (number === undefined) throw new SetupError(125, `There is no limit "${name}".`);
  return number;
}

/** `struct rlimit64`; -1: no limit. */
function resourceLimit(soft: number, hard: number): Buffer {
  return Buffer.from(
    new BigUint64Array([soft, hard].map((value) => BigInt.asUintN(64, BigInt(value)))).buffer,
  );
}
