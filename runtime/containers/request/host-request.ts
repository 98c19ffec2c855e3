import { EngineError } from '../../engine-error.ts';
import type { HostConfig } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';
import { ISOLATION_FIELDS, parseIsolation } from './isolation-request.ts';
import { LIMIT_FIELDS, parseLimits } from './limits-request.ts';
import type { Machine } from './machine.ts';
import { MOUNT_FIELDS, parseMounts, parseTmpfsAmongMounts } from './mounts-request.ts';
import { NETWORK_FIELDS, parseNetwork } from './network-request.ts';
import { PORT_FIELDS, parsePorts } from './ports-request.ts';
import { PROCESS_LIMIT_FIELDS, parseProcessLimits } from './process-limits-request.ts';
import { parseRestartPolicy } from './restart-request.ts';
import { parseStorage, STORAGE_FIELDS } from './storage-request.ts';
import { parseTmpfsMounts, TMPFS_FIELDS } from './tmpfs-request.ts';

/** What HostConfig can say that this runtime knows how to do. */
const KNOWN_FIELDS = new Set([
  ...LIMIT_FIELDS,
  ...PROCESS_LIMIT_FIELDS,
  ...TMPFS_FIELDS,
  ...MOUNT_FIELDS,
  ...NETWORK_FIELDS,
  ...PORT_FIELDS,
  ...ISOLATION_FIELDS,
  ...STORAGE_FIELDS,
  ...['AutoRemove', 'RestartPolicy'],
  // Said by clients without a wish behind it, or granted anyway.
  ...['Annotations', 'ConsoleSize', 'ContainerIDFile', 'LogConfig', 'Init'],
]);

/** Reads `HostConfig` of a create request. Throws `invalid`, also for what this runtime cannot do. */
export function parseHostConfig(fields: RequestFields, machine: Machine): HostConfig {
  const unknown = fields.names().filter((name) => !KNOWN_FIELDS.has(name));
  if (unknown.length > 0) {
    throw new EngineError('invalid', `This runtime does not support HostConfig.${unknown.join(', ')}.`);
  }
  requireLogDriver(fields.object('LogConfig').string('Type'));
  const AutoRemove = fields.boolean('AutoRemove');
  const RestartPolicy = parseRestartPolicy(fields.object('RestartPolicy'));
  if (AutoRemove && RestartPolicy.Name !== 'no') {
    throw new EngineError('invalid', 'AutoRemove and a restart policy exclude each other.');
  }
  return {
    ...parseLimits(fields, machine),
    ...parseProcessLimits(fields, machine),
    ...parseTmpfsMounts(fields, machine, parseTmpfsAmongMounts(fields)),
    ...parseMounts(fields),
    ...parseNetwork(fields),
    ...parsePorts(fields),
    ...parseIsolation(fields),
    ...parseStorage(fields),
    AutoRemove,
    RestartPolicy,
  };
}

/** Whoever asks for another would look for the log there in vain; options such as `max-size` have no effect. */
function requireLogDriver(driver: string): void {
  if (['', 'json-file', 'local'].includes(driver)) return;
  throw new EngineError('invalid', `This runtime does not support the log driver "${driver}": json-file.`);
}
