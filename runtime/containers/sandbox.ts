import { closeSync } from 'node:fs';
import type { ContainerNetwork } from '../network/network-plan.ts';
import { signalProcess } from '../syscall/processes.ts';
import type { Limits } from './kernel.ts';
import { type ListRequest, sendParkedList } from './list-request.ts';
import type { ReadyRoot } from './plan/ready-root-plan.ts';
import { ended } from './process-maker.ts';

/**
 * A container's first process before it is anybody's: in its own namespaces, control groups and network, waiting for what is to run in
 * it. Each is used once. What it waits on is our end of a socket, so that it ends when we do, however that is.
 */
export class Sandbox {
  readonly pid: number;
  readonly pidfd: number;
  /** Tells a reused pid apart. */
  readonly startTime: string;
  /** The name of its control group. */
  readonly group: string;
  readonly network: ContainerNetwork | undefined;
  /** What its group has already. */
  readonly limits: Limits;
  /** Whether nothing in it can have capabilities, but in a user namespace. */
  readonly isBounded: boolean;
  /** What it has mounted already. */
  readonly root: ReadyRoot | undefined;
  #socket: number | undefined;

  constructor(parts: {
    pid: number;
    pidfd: number;
    startTime: string;
    group: string;
    network: ContainerNetwork | undefined;
    limits: Limits;
    isBounded: boolean;
    root: ReadyRoot | undefined;
    socket: number;
  }) {
    this.pid = parts.pid;
    this.pidfd = parts.pidfd;
    this.startTime = parts.startTime;
    this.group = parts.group;
    this.network = parts.network;
    this.limits = parts.limits;
    this.isBounded = parts.isBounded;
    this.root = parts.root;
    this.#socket = parts.socket;
  }

  /** Something may have killed it, such as a machine without memory. */
  get alive(): boolean {
    return signalProcess(this.pidfd, 0);
  }

  /** Makes a container of it. Resolves when the app has been executed. Rejects with `SetupError`; then it ends. */
  async launch(request: ListRequest): Promise<void> {
    try {
      await sendParkedList(this.#socket!, request);
    } finally {
      this.#letGo();
    }
  }

  /** Lets it end. */
  discard(): void {
    this.#letGo();
    closeSync(this.pidfd);
  }

  /** Lets it end, and resolves when it has. */
  async end(): Promise<void> {
    this.#letGo();
    await ended(this.pidfd);
  }

  #letGo(): void {
    if (this.#socket !== undefined) closeSync(this.#socket);
    this.#socket = undefined;
  }
}
