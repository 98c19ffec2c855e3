import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { planExec } from '../../../runtime/containers/exec-plan.ts';
import { parseExitStatus } from '../../../runtime/containers/exits.ts';
import type { LaunchSpec } from '../../../runtime/containers/kernel.ts';
import { planLaunch } from '../../../runtime/containers/launch-plan.ts';
import { readHostFacts } from '../../../runtime/containers/plan/host-facts.ts';
import { planSandbox } from '../../../runtime/containers/plan/sandbox-plan.ts';
import { ended, ProcessMaker } from '../../../runtime/containers/process-maker.ts';
import { compileFilter, type FilterRules, filterRules } from '../../../runtime/containers/seccomp.ts';
import { ensureInit } from '../../../runtime/init/build.ts';
import type { Operation } from '../../../runtime/init/operation-list.ts';
import { CLONE } from '../../../runtime/syscall/constants.ts';
import { openPipe } from '../../../runtime/syscall/descriptors.ts';
import type { KernelFixture } from '../kernel-fixture.ts';

/** What is different from a container as it should be. */
export interface Weakness {
  /** The operations in place of those of the plan, e.g. without one that protects. */
  edit?: (operations: Operation[]) => Operation[];
  rules?: FilterRules;
  /** Another program in place of the plan's filter. */
  filter?: Uint8Array;
}

/** In place of the filter, `RET ALLOW` for every system call. */
export const ALLOW_ALL: Uint8Array = Buffer.from([0x06, 0, 0, 0, 0, 0, 0xff, 0x7f]);

/** Leaves out the operations with these words in their purpose; throws if there is none, for then the test shows nothing. */
export function without(...purposes: string[]) {
  return (operations: Operation[]): Operation[] => {
    for (const text of purposes) {
      if (!operations.some(({ purpose }) => purpose.includes(text)))
        throw new Error(`No operation says "${text}".`);
    }
    return operations.filter(({ purpose }) => !purposes.some((text) => purpose.includes(text)));
  };
}

/** Containers made by the real plan with a protection switched off: what the probes of these tests then must find. */
export class WeakenedContainers {
  readonly #containers: KernelFixture;
  #maker!: ProcessMaker;

  constructor(containers: KernelFixture) {
    this.#containers = containers;
  }

  async open(): Promise<void> {
    this.#maker = await ProcessMaker.open({
      program: await ensureInit('/var/cache/paas'),
      output: undefined,
      onZygote: () => {},
    });
  }

  close(): void {
    this.#maker.close();
  }

  /** As `KernelFixture.run`, with the weakness and without cgroups. */
  async run(
    command: string | string[],
    weakness: Weakness,
    overrides: Partial<LaunchSpec> = {},
  ): Promise<{ code: number; output: string }> {
    const spec = this.#containers.spec(command, overrides);
    const { pidfd } = await this.#start(spec, weakness);
    await ended(pidfd);
    return { code: this.#code(spec), output: this.#containers.output(spec) };
  }

  /**
   * Starts `main` as it should be, execs `command` with the weakness, and waits for both: `main` has to end by itself (or with its
   * input, which ends after the exec).
   */
  async exec(
    command: string,
    weakness: Weakness,
    { main = 'read line', ...overrides }: Partial<LaunchSpec> & { main?: string } = {},
  ): Promise<{ output: string; ofMain: string }> {
    const spec = this.#containers.spec(main, overrides);
    const exec = this.#containers.spec(command, overrides);
    const input = openPipe();
    const { pidfd } = await this.#start(
      { ...spec, stdio: { ...(spec.stdio as Pipes), stdin: input.read } },
      {},
    );
    closeSync(input.read);
    try {
      const operations = planExec(exec, {
        host: readHostFacts(),
        filter: filterOf(weakness),
        userNamespace: false,
        cgroups: [],
      });
      const born = await this.#launch(exec, 0, weakness.edit?.(operations) ?? operations, {
        container: pidfd,
      });
      await ended(born.pidfd);
    } finally {
      closeSync(input.write);
      await ended(pidfd);
    }
    return { output: this.#containers.output(exec), ofMain: this.#containers.output(spec) };
  }

  async #start(spec: LaunchSpec, weakness: Weakness): Promise<{ pidfd: number }> {
    const host = readHostFacts();
    const launch = planLaunch(spec, {
      host,
      binds: spec.binds.map((bind) => ({ ...bind, isFolder: false })),
      mappedFolders: [],
      etcFiles: { hosts: '127.0.0.1\tlocalhost\n' },
      filter: filterOf(weakness),
      limits: [],
      // What is mounted of cgroups in the host's own namespace changes its options for all.
      entry: { open: [], join: [{ call: 'unshare', args: [CLONE.NEWCGROUP], purpose: '' }] },
    });
    const operations = [...planSandbox({ host, network: undefined, group: [] }), ...launch];
    return await this.#launch(spec, CLONE.NEWPID, weakness.edit?.(operations) ?? operations, {
      'base namespace': this.#maker.baseNamespace,
    });
  }

  async #launch(
    spec: LaunchSpec,
    cloneFlags: number,
    operations: Operation[],
    descriptors: Record<string, number>,
  ): Promise<{ pidfd: number }> {
    const exitFile = openSync(spec.exitFile, 'w');
    const { stdin, stdout, stderr } = spec.stdio as Pipes;
    const stdio = { ...(stdin === undefined ? {} : { stdin }), stdout, stderr };
    try {
      const born = await this.#maker.launch({
        cloneFlags,
        operations,
        descriptors: { ...descriptors, ...stdio },
        exitFile,
      });
      await born.ready;
      return born;
    } finally {
      closeSync(exitFile);
      closeSync(stdout);
    }
  }

  #code(spec: LaunchSpec): number {
    return parseExitStatus(readFileSync(join(this.#containers.folder, spec.id, 'exit'), 'latin1'));
  }
}

type Pipes = { stdin: number | undefined; stdout: number; stderr: number };

function filterOf({ rules, filter }: Weakness): Uint8Array {
  return filter ?? compileFilter(rules ?? filterRules());
}
