import type { Container } from './container.ts';
import type { ContainerNetworks } from './container-networks.ts';
import type { ContainerStore } from './container-store.ts';
import { KILLED } from './exits.ts';
import type { ContainerExit, Kernel } from './kernel.ts';
import type { Launcher } from './launcher.ts';
import { isAlive } from './state.ts';

export interface AdoptionOptions {
  kernel: Kernel;
  store: ContainerStore;
  launcher: Launcher;
  networks: ContainerNetworks;
}

/** Takes up the process of a container that ran when an earlier runtime ended. Returns how it ended, if it did meanwhile. */
export function adoptProcess(container: Container, options: AdoptionOptions): ContainerExit | undefined {
  const { kernel, store, launcher, networks } = options;
  const { state } = container;
  if (!isAlive(state)) return undefined;
  const adopted = kernel.adopt(container.id, state.process, networks.trafficOf(container.config));
  launcher.resume(container, adopted?.running ? adopted.pipes : []);
  if (!adopted?.running) {
    // Where nobody noted its status, it was killed with everything around it.
    return adopted?.exit ?? { code: store.readExitCode(container.id) ?? KILLED, oomKilled: false };
  }
  // Whether it is paused the kernel knows best.
  container.state = { ...state, status: adopted.paused ? 'paused' : 'running' };
  return undefined;
}
