import { EngineError } from '../../engine-error.ts';
import type { RestartPolicy } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';

const NAMES = ['no', 'always', 'unless-stopped', 'on-failure'] as const;

/** Reads `RestartPolicy`; absent: never. Throws `invalid`. */
export function parseRestartPolicy(fields: RequestFields): RestartPolicy {
  const asked = fields.string('Name') || 'no';
  const Name = NAMES.find((name) => name === asked);
  if (!Name) throw new EngineError('invalid', `"${asked}" is not a restart policy: ${NAMES.join(', ')}.`);
  const MaximumRetryCount = fields.integer('MaximumRetryCount', { min: 1 });
  if (MaximumRetryCount > 0 && Name !== 'on-failure') {
    throw new EngineError('invalid', `MaximumRetryCount needs the restart policy on-failure, not ${Name}.`);
  }
  return { Name, MaximumRetryCount };
}
