import { EngineError } from '../../engine-error.ts';
import type { ProcessLimitsConfig, Ulimit } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';
import type { Machine } from './machine.ts';

/** The fields of HostConfig that `parseProcessLimits` reads. */
export const PROCESS_LIMIT_FIELDS = ['Ulimits', 'OomScoreAdj', 'Sysctls'];

/** Settings of the kernel that a container has of its own: those of its IPC and its network namespace. */
const OWN_SYSCTLS = [
  /^kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$/,
  /^fs\.mqueue\.[a-z_]{1,64}$/,
  /^net\.[a-zA-Z0-9_.-]{1,128}$/,
];

/** Reads what a container's processes may do with what they have. Throws `invalid`. */
export function parseProcessLimits(fields: RequestFields, machine: Machine): ProcessLimitsConfig {
  return {
    Ulimits: fields.objects('Ulimits').map((ulimit) => parseUlimit(ulimit, machine)),
    OomScoreAdj: parseOomScoreAdj(fields),
    Sysctls: parseSysctls(fields.map('Sysctls')),
  };
}

function parseUlimit(fields: RequestFields, machine: Machine): Ulimit {
  const Name = fields.string('Name');
  const most = Object.hasOwn(machine.hardLimits, Name) ? machine.hardLimits[Name]! : undefined;
  if (most === undefined) throw new EngineError('invalid', `"${Name}" is not a ulimit, e.g. nofile.`);
  const [Soft, Hard] = [fields.integer('Soft', { min: -1 }), fields.integer('Hard', { min: -1 })];
  const amount = (value: number) => (value === -1 ? Number.POSITIVE_INFINITY : value);
  if (amount(Soft) > amount(Hard)) {
    throw new EngineError(
      'invalid',
      `Ulimit ${Name}: the soft limit ${Soft} is above the hard one, ${Hard}.`,
    );
  }
  if (amount(Hard) > most) {
    throw new EngineError(
      'invalid',
      `Ulimit ${Name}: the hard limit ${Hard} is above the runtime's, ${most}.`,
    );
  }
  return { Name, Soft, Hard };
}

/** Below 0 others would be killed in its place. */
function parseOomScoreAdj(fields: RequestFields): number {
  return fields.integer('OomScoreAdj', { min: 0, max: 1000 });
}

function parseSysctls(asked: Record<string, string>): Record<string, string> {
  for (const [name, value] of Object.entries(asked)) {
    if (!OWN_SYSCTLS.some((own) => own.test(name)) || name.split('.').includes('')) {
      throw new EngineError(
        'invalid',
        `The sysctl "${name}" is not a container's own, as net.* and kernel.shm* are.`,
      );
    }
    if (!/^[ -~\t]{1,256}$/.test(value)) {
      throw new EngineError('invalid', `"${value}" is no value for the sysctl "${name}".`);
    }
  }
  return asked;
}
