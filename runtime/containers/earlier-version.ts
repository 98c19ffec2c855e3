import type { StoredContainer } from './container-store.ts';
import { parseHostConfig } from './request/host-request.ts';
import type { Machine } from './request/machine.ts';
import { RequestFields } from './request-fields.ts';
import { type ContainerState, isAlive, NO_RESTARTS } from './state.ts';

/** Fills in what a runtime of an earlier version did not know of a container. */
export function completeRecord(stored: StoredContainer, machine: Machine): StoredContainer {
  const { config } = stored;
  const defaults = parseHostConfig(new RequestFields({}), machine);
  return {
    ...stored,
    config: { ...config, host: { ...defaults, ...config.host } },
    state: completeState(stored.state),
  };
}

function completeState(state: ContainerState): ContainerState {
  if (state.status === 'created') return state;
  const restarts = state.restarts ?? NO_RESTARTS;
  if (isAlive(state)) return { ...state, stopping: state.stopping ?? false, restarts };
  return { ...state, stopped: state.stopped ?? false, restarts };
}
