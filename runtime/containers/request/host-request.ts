import { EngineError } from '../../engine-error.ts';
import type { HostConfig } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';
import { ISOLATION_FIELDS, parseIsolation } from './isolation-request.ts';
import { LIMIT_FIELDS, parseLimits } from './limits-request.ts';
import { MOUNT_FIELDS, parseMounts } from './mounts-request.ts';
import { NETWORK_FIELDS, parseNetwork } from './network-request.ts';
import { parseStorage, STORAGE_FIELDS } from './storage-request.ts';

/** What HostConfig can say that this runtime knows how to do. */
const KNOWN_FIELDS = new Set([
  ...LIMIT_FIELDS,
  ...MOUNT_FIELDS,
  ...NETWORK_FIELDS,
  ...ISOLATION_FIELDS,
  ...STORAGE_FIELDS,
  ...['AutoRemove', 'RestartPolicy'],
  // Said by clients without a wish behind it, or granted anyway.
  ...['Annotations', 'ConsoleSize', 'LogConfig', 'Init'],
]);

/** Reads `HostConfig` of a create request. Throws `invalid`, also for what this runtime cannot do. */
export function parseHostConfig(fields: RequestFields): HostConfig {
  const unknown = fields.names().filter((name) => !KNOWN_FIELDS.has(name));
  if (unknown.length > 0) {
    throw new EngineError('invalid', `This runtime does not support HostConfig.${unknown.join(', ')}.`);
  }
  refuseRestarts(fields.object('RestartPolicy').string('Name'));
  return {
    ...parseLimits(fields),
    ...parseMounts(fields),
    ...parseNetwork(fields),
    ...parseIsolation(fields),
    ...parseStorage(fields),
    AutoRemove: fields.boolean('AutoRemove'),
  };
}

function refuseRestarts(policy: string): void {
  if (['', 'no'].includes(policy)) return;
  throw new EngineError('invalid', `This runtime does not support RestartPolicy "${policy}".`);
}
