import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import type { Cgroups } from '../cgroups/cgroups.ts';
import type { ContainerNetwork } from '../network/network-plan.ts';
import { CLONE } from '../syscall/constants.ts';
import { socketPair } from '../syscall/messages.ts';
import { processStartTime } from '../syscall/processes.ts';
import type { Limits } from './kernel.ts';
import type { HostFacts } from './plan/host-facts.ts';
import type { ReadyRoot } from './plan/ready-root-plan.ts';
import { planSandbox } from './plan/sandbox-plan.ts';
import { ended, type ProcessMaker } from './process-maker.ts';
import { Sandbox } from './sandbox.ts';
import type { UserNamespace } from './user-namespace.ts';

/** What a sandbox has from the beginning. */
export interface SandboxParts {
  network: ContainerNetwork | undefined;
  /** They must be `revocableLimits`. */
  limits: Limits;
  /** Whether nothing in it can have capabilities, but in a user namespace. */
  isBounded: boolean;
  /** To be mounted in advance. */
  root: ReadyRoot | undefined;
}

/** Has sandboxes made by the zygote. */
export class SandboxMaker {
  readonly #processes: ProcessMaker;
  readonly #cgroups: Cgroups;
  readonly #host: HostFacts;
  readonly #userNamespace: UserNamespace;

  constructor(parts: {
    processes: ProcessMaker;
    cgroups: Cgroups;
    host: HostFacts;
    userNamespace: UserNamespace;
  }) {
    this.#processes = parts.processes;
    this.#cgroups = parts.cgroups;
    this.#host = parts.host;
    this.#userNamespace = parts.userNamespace;
  }

  /** Throws `SetupError`, and leaves nothing then but, perhaps, an empty group for `discardGroup`, and folders of the root file system. */
  async make(parts: SandboxParts, discardGroup: (name: string) => void): Promise<Sandbox> {
    const group = randomBytes(16).toString('hex');
    const [socket, parking] = socketPair();
    try {
      const { pid, pidfd } = await this.#park(group, { ...parts, parking });
      const startTime = processStartTime(pid) ?? '0';
      return new Sandbox({ ...parts, pid, pidfd, startTime, group, socket });
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
    { network, limits, isBounded, root, parking }: SandboxParts & { parking: number },
  ): Promise<{ pid: number; pidfd: number }> {
    const userNamespace = this.#userNamespace.descriptor;
    const { pid, pidfd, ready } = await this.#processes.launch({
      cloneFlags: CLONE.NEWPID,
      operations: [
        ...planSandbox({ host: this.#host, network, group: this.#cgroups.enter(group), isBounded, root }),
        ...this.#cgroups.setLimits(group, limits, {}),
        { call: 'park', args: [{ descriptor: 'parking' }], purpose: 'wait for a container' },
      ],
      descriptors: {
        'base namespace': this.#processes.baseNamespace,
        parking,
        ...(userNamespace !== undefined && { 'user namespace': userNamespace }),
      },
    });
    await ready.catch(async (error) => {
      await ended(pidfd);
      throw error;
    });
    return { pid, pidfd };
  }
}
