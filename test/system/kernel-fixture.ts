import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { instanceTag } from '../../runtime/containers/instance-tag.ts';
import type { ContainerExit, ExecSpec, LaunchSpec, StartedProcess } from '../../runtime/containers/kernel.ts';
import { LinuxKernel, type LinuxKernelOptions } from '../../runtime/containers/linux-kernel.ts';
import { interfacePrefix } from '../../runtime/network/address-pool.ts';
import { Firewall } from '../../runtime/network/firewall.ts';
import { Subnet } from '../../runtime/network/subnet.ts';
import { ORDINARY_TRAFFIC } from '../../runtime/network/traffic.ts';
import { baseSystemFolder } from '../../server/host/base-system.ts';
import { testSubnet } from '../fixtures/test-subnet.ts';

/** The apps' base system, which the set-up makes. */
const BASE = baseSystemFolder();
const SUBNET = testSubnet('kernel');

export const APP_USER = 70000;

/** Why these tests cannot run here; undefined: they can. */
export function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync(BASE)) return `needs the base system in ${BASE} (npm test makes it)`;
  return undefined;
}

/** What a container said and how it ended. */
export interface Outcome extends ContainerExit {
  output: string;
}

/** A kernel of the tests' own, its containers, and a folder that vanishes with them. */
export class KernelFixture {
  readonly folder = `/var/tmp/paas-kernel-${randomBytes(6).toString('hex')}`;
  readonly options: LinuxKernelOptions = { run: this.folder, subnet: SUBNET };
  kernel!: LinuxKernel;
  /** Numbers of the host's ends of all containers' links: a name may be given again, to a network that is made in advance. */
  readonly interfaces = new Set<string>();
  /** Control groups of every container that was started. */
  readonly groups = new Set<string>();
  readonly #running = new Set<string>();
  readonly #exits = new Map<string, PromiseWithResolvers<ContainerExit>>();

  async open(): Promise<void> {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.kernel = await LinuxKernel.open(this.options);
    this.kernel.onExit((id, exit) => {
      this.#running.delete(id);
      this.#exitOf(id).resolve(exit);
    });
  }

  /** As a restart of the runtime does: containers go on. */
  async reopen(): Promise<void> {
    await this.kernel.close();
    await this.open();
  }

  async close(): Promise<void> {
    await this.kernel.close();
    await LinuxKernel.remove(this.options);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A program that does one system call (or every one of a range), to be mounted into containers. */
  probe(name: 'probe' | 'sweep' = 'probe'): string {
    const program = join(this.folder, name);
    const source = new URL(`probe/${name}.c`, import.meta.url).pathname;
    if (!existsSync(program)) {
      execFileSync('cc', [
        '-Os',
        '-static',
        '-nostdlib',
        '-ffreestanding',
        '-no-pie',
        '-fno-stack-protector',
        '-o',
        program,
        source,
      ]);
    }
    return program;
  }

  /** A spec of a small app; its output is in the file `log` of its folder. */
  spec(command: string | string[], overrides: Partial<LaunchSpec> = {}): LaunchSpec {
    const id = randomBytes(32).toString('hex');
    const folder = join(this.folder, id);
    mkdirSync(folder);
    const log = openSync(join(folder, 'log'), 'a');
    return {
      id,
      rootfs: {
        lower: [BASE],
        upper: join(folder, 'upper'),
        work: join(folder, 'work'),
        volatile: true,
        disk: undefined,
      },
      hostname: 'web-1',
      domainName: '',
      args: typeof command === 'string' ? ['sh', '-c', command] : command,
      env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'HOME=/tmp'],
      cwd: '/',
      uid: APP_USER,
      gid: APP_USER,
      groups: [],
      capabilities: [],
      userNamespace: false,
      limits: { memory: 256 << 20, nanoCpus: undefined, cpuShares: undefined, pids: 100 },
      network: 'none',
      traffic: ORDINARY_TRAFFIC,
      extraHosts: [],
      binds: [],
      shmSize: 1 << 20,
      stdio: { stdin: undefined, stdout: log, stderr: log },
      exitFile: join(folder, 'exit'),
      ...overrides,
    };
  }

  async start(spec: LaunchSpec): Promise<StartedProcess> {
    this.#running.add(spec.id);
    try {
      const process = await this.kernel.start(spec);
      this.groups.add(process.group!);
      if (process.address) this.interfaces.add(interfaceNumber(this.interfaceTo(process.address)));
      return process;
    } finally {
      if (!('terminal' in spec.stdio)) closeSync(spec.stdio.stdout);
    }
  }

  /** The name of the host's end of a container's link. */
  interfaceTo(address: string): string {
    const offset = new Subnet(SUBNET).offset(address);
    return interfacePrefix(instanceTag(this.folder)) + offset.toString(16);
  }

  /** Does something while the firewall is away: what is forbidden must work then. */
  async withoutFirewall<T>(action: () => Promise<T>): Promise<T> {
    await Firewall.remove(instanceTag(this.folder));
    try {
      return await action();
    } finally {
      await this.kernel.cleanUp(this.#running);
    }
  }

  exited(spec: LaunchSpec): Promise<ContainerExit> {
    return this.#exitOf(spec.id).promise;
  }

  output(spec: LaunchSpec): string {
    return readFileSync(join(this.folder, spec.id, 'log'), 'utf8');
  }

  /** Starts it, waits for its end, removes it. */
  async run(command: string | string[], overrides: Partial<LaunchSpec> = {}): Promise<Outcome> {
    const spec = this.spec(command, overrides);
    await this.start(spec);
    const exit = await this.exited(spec);
    await this.kernel.release(spec.id);
    return { ...exit, output: this.output(spec) };
  }

  /** Starts it, does something while it runs, kills and removes it. */
  async during<T>(spec: LaunchSpec, action: (process: StartedProcess) => Promise<T>): Promise<T> {
    const process = await this.start(spec);
    try {
      return await action(process);
    } finally {
      this.kernel.kill(spec.id, 9);
      await this.exited(spec);
      await this.kernel.release(spec.id);
    }
  }

  /** Runs a command in a running container. */
  async exec(
    spec: LaunchSpec,
    command: string,
    overrides: Partial<ExecSpec> = {},
  ): Promise<{ code: number; output: string }> {
    const file = join(this.folder, `exec-${randomBytes(4).toString('hex')}`);
    const output = openSync(file, 'a');
    try {
      const { exited } = await this.kernel.exec(spec.id, {
        args: ['sh', '-c', command],
        env: ['PATH=/usr/bin:/bin'],
        cwd: '/',
        uid: APP_USER,
        gid: APP_USER,
        groups: [],
        capabilities: [],
        stdio: { stdin: undefined, stdout: output, stderr: output },
        ...overrides,
      });
      return { code: await exited, output: readFileSync(file, 'utf8') };
    } finally {
      closeSync(output);
    }
  }

  #exitOf(id: string): PromiseWithResolvers<ContainerExit> {
    const known = this.#exits.get(id) ?? Promise.withResolvers<ContainerExit>();
    this.#exits.set(id, known);
    return known;
  }
}

/** The kernel's number of an interface, which it does not give again; `gone` if there is none of this name. */
export function interfaceNumber(name: string): string {
  try {
    return readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8');
  } catch {
    return 'gone';
  }
}
