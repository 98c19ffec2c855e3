import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import type { Cgroups } from '../cgroups/cgroups.ts';
import type { ContainerNetwork } from '../network/network-plan.ts';
import { CLONE } from '../syscall/constants.ts';
import { socketPair } from '../syscall/messages.ts';
import { processStartTime } from '../syscall/processes.ts';
import type { Limits } from './kernel.ts';
import type { HostFacts } from './plan/host-facts.ts';
import { planSandbox } from './plan/sandbox-plan.ts';
import { ended, type ProcessMaker } from './process-maker.ts';
import { Sandbox } from './sandbox.ts';

/** Has sandboxes made by the zygote. */
export class SandboxMaker {
  readonly #processes: ProcessMaker;
  readonly #cgroups: Cgroups;
  readonly #host: HostFacts;

  constructor(parts: { processes: ProcessMaker; cgroups: Cgroups; host: HostFacts }) {
    this.#processes = parts.processes;
    this.#cgroups = parts.cgroups;
    this.#host = parts.host;
  }

  /**
   * With this network, or none, and these limits, which must be `revocableLimits`. Throws `SetupError`, and leaves nothing then but, perhaps,
   * an empty group for `discardGroup`.
   */
  async make(
    { network, limits }: { network: ContainerNetwork | undefined; limits: Limits },
    discardGroup: (name: string) => void,
  ): Promise<Sandbox> {
    const group = randomBytes(16).toString('hex');
    const [socket, parking] = socketPair();
    try {
      const { pid, pidfd } = await this.#park(group, { network, limits, parking });
      const startTime = processStartTime(pid) ?? '0';
      return new Sandbox({ pid, pidfd, startTime, group, network, limits, socket });
    } catch (error) {
      closeSync(socket);
      discardGroup(group);
      throw error;
    } finally {
      closeSync(parking);
    }
  }

  async #park(
    group: string,
    { network, limits, parking }: { network: ContainerNetwork | undefined; limits: Limits; parking: number },
  ): Promise<{ pid: number; pidfd: number }> {
    const { pid, pidfd, ready } = await this.#processes.launch({
      cloneFlags: CLONE.NEWPID,
      operations: [
        ...planSandbox({ host: this.#host, network, group: this.#cgroups.enter(group) }),
        ...this.#cgroups.setLimits(group, limits, {}),
        { call: 'park', args: [{ descriptor: 'parking' }], purpose: 'wait for a container' },
      ],
      descriptors: { 'base namespace': this.#processes.baseNamespace, parking },
    });
    await ready.catch(async (error) => {
      await ended(pidfd);
      throw error;
    });
    return { pid, pidfd };
  }
}
