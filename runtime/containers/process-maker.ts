import { closeSync, openSync } from 'node:fs';
import type { Operation } from '../init/operation-list.ts';
import { CLONE } from '../syscall/constants.ts';
import { openPipe } from '../syscall/descriptors.ts';
import { onceReadable } from '../syscall/readiness.ts';
import { planBaseNamespace } from './plan/base-namespace.ts';
import { planHolding, planSuccess } from './plan/helper-plan.ts';
import { SetupError } from './setup-error.ts';
import { type Born, Zygote, type ZygoteRequest } from './zygote.ts';

export interface ProcessMakerOptions {
  /** Path of the compiled init.c. */
  program: string;
  /** Descriptor of the folder of raw output, which zygotes keep in bounds while there is no runtime. */
  output: number | undefined;
  /** Called with the pid of each new zygote. */
  onZygote: (pid: number) => void;
}

/** Makes processes for containers: keeps a zygote, and the mount namespace from which every container's is copied. */
export class ProcessMaker {
  readonly #options: ProcessMakerOptions;
  #zygote: Zygote;
  readonly #nowhere = openSync('/dev/null', 'r+');
  #baseNamespace = -1;
  #closed = false;

  static async open(options: ProcessMakerOptions): Promise<ProcessMaker> {
    const maker = new ProcessMaker(options);
    maker.#baseNamespace = await maker.#makeBaseNamespace();
    return maker;
  }

  private constructor(options: ProcessMakerOptions) {
    this.#options = options;
    this.#zygote = this.#newZygote();
  }

  /** Descriptor of a mount namespace without anything of the host. */
  get baseNamespace(): number {
    return this.#baseNamespace;
  }

  /** As `Zygote.launch`; a zygote that died is replaced. Without an exit file of the caller's, the exit status is lost unless the operations bring one. */
  async launch(request: Omit<ZygoteRequest, 'exitFile'> & { exitFile?: number }): Promise<Born> {
    // What is still under way must start no zygote anew, nor use descriptors that are another's by now.
    if (this.#closed) throw new SetupError(125, 'Could not make a process: the runtime is ending.');
    if (!this.#zygote.alive) this.#zygote = this.#newZygote();
    return this.#zygote.launch({ exitFile: this.#nowhere, ...request });
  }

  /** Carries out operations in a short-lived process, off the event loop. Throws `SetupError`. */
  async run(operations: Operation[], descriptors: Record<string, number> = {}): Promise<void> {
    const born = await this.launch({
      cloneFlags: 0,
      operations: [...operations, ...planSuccess()],
      descriptors,
    });
    try {
      await born.ready;
    } finally {
      closeSync(born.pidfd);
    }
  }

  /** Containers go on; the zygote ends with the last of them. */
  close(): void {
    this.#closed = true;
    this.#zygote.close();
    closeSync(this.#baseNamespace);
    closeSync(this.#nowhere);
  }

  /** Runs a program of the host's, by its path, until it ends, however that is. Throws `SetupError` if it cannot be started. */
  async execute(args: string[]): Promise<void> {
    const { pidfd, ready } = await this.launch({
      cloneFlags: 0,
      descriptors: {},
      operations: [
        {
          call: 'execute',
          args: [args[0]!, { strings: args }, { strings: [] }],
          purpose: `execute "${args[0]}"`,
        },
      ],
    });
    await Promise.all([ready, ended(pidfd)]);
  }

  /** As `run`, in a process that goes on until `take` has opened what it holds, by its pid. */
  async hold<T>(
    request: { cloneFlags: number; operations: Operation[]; descriptors?: Record<string, number> },
    take: (pid: number) => T,
  ): Promise<T> {
    const release = openPipe();
    try {
      const { pid, pidfd, ready } = await this.launch({
        cloneFlags: request.cloneFlags,
        operations: [...request.operations, ...planSuccess(), ...planHolding()],
        descriptors: { ...request.descriptors, release: release.read },
      });
      closeSync(pidfd);
      await ready;
      return take(pid);
    } finally {
      closeSync(release.read);
      closeSync(release.write);
    }
  }

  #makeBaseNamespace(): Promise<number> {
    const request = { cloneFlags: CLONE.NEWNS, operations: planBaseNamespace() };
    return this.hold(request, (pid) => openSync(`/proc/${pid}/ns/mnt`, 'r'));
  }

  #newZygote(): Zygote {
    const zygote = new Zygote(this.#options);
    if (zygote.pid !== undefined) this.#options.onZygote(zygote.pid);
    return zygote;
  }
}

/** Resolves when the process behind a pidfd has ended, and closes it. */
export function ended(pidfd: number): Promise<void> {
  return new Promise((resolve) => {
    const onEnd = () => {
      closeSync(pidfd);
      resolve();
    };
    onceReadable(pidfd, onEnd, { keepAlive: true });
  });
}
