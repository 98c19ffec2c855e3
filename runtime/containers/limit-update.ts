import { EngineError } from '../engine-error.ts';
import type { Container } from './container.ts';
import type { HostConfig } from './container-config.ts';
import type { ContainerStore } from './container-store.ts';
import type { Kernel } from './kernel.ts';
import { discardUnsupported, limitsOf } from './limits.ts';
import { LIMIT_FIELDS, parseLimitChanges } from './request/limits-request.ts';
import type { Machine } from './request/machine.ts';
import { parseRestartPolicy } from './request/restart-request.ts';
import { RequestFields } from './request-fields.ts';

export interface LimitUpdateOptions {
  kernel: Kernel;
  store: ContainerStore;
  machine: Machine;
}

/**
 * Changes the limits and the restart policy of a container, also while it runs: all that the body of
 * `POST /containers/{id}/update` asks for, or nothing. Returns warnings. Throws `invalid`, and `conflict` for less
 * memory than it uses.
 */
export function updateLimits(container: Container, body: unknown, options: LimitUpdateOptions): string[] {
  const { kernel, store, machine } = options;
  const current = container.config.host;
  const asked = parseUpdate(body, machine, current);
  const { limits: host, warnings } = discardUnsupported(asked, kernel.limitFeatures);
  if (container.running) applyOrRestore(container.id, kernel, { wanted: host, current });
  container.config = { ...container.config, host };
  store.saveConfig(container.config);
  return warnings;
}

function parseUpdate(body: unknown, machine: Machine, current: HostConfig): HostConfig {
  const fields = new RequestFields(body);
  const unknown = fields.names().find((name) => ![...LIMIT_FIELDS, 'RestartPolicy'].includes(name));
  if (unknown) throw new EngineError('invalid', `This runtime cannot update ${unknown}.`);
  const policy = fields.object('RestartPolicy');
  const RestartPolicy = policy.string('Name') ? parseRestartPolicy(policy) : current.RestartPolicy;
  if (current.AutoRemove && RestartPolicy.Name !== 'no') {
    throw new EngineError('invalid', 'AutoRemove and a restart policy exclude each other.');
  }
  return { ...current, ...parseLimitChanges(fields, machine, current), RestartPolicy };
}

/** Of several limits the kernel may refuse one. */
function applyOrRestore(
  id: string,
  kernel: Kernel,
  { wanted, current }: { wanted: HostConfig; current: HostConfig },
): void {
  try {
    kernel.update(id, limitsOf(wanted));
  } catch (error) {
    restore(() => kernel.update(id, limitsOf(current)));
    throw error;
  }
}

function restore(apply: () => void): void {
  try {
    apply();
  } catch (error) {
    console.error('Could not restore limits after a refused update:', error);
  }
}
