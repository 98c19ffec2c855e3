import { closeSync, readlinkSync } from 'node:fs';
import { type Cgroups, openCgroups } from '../cgroups/cgroups.ts';
import { EngineError } from '../engine-error.ts';
import { ensureInit } from '../init/build.ts';
import type { FirewallOptions } from '../network/firewall-table.ts';
import type { Forward, RefusedForward } from '../network/port-forwards.ts';
import { ORDINARY_TRAFFIC, type Traffic } from '../network/traffic.ts';
import { TrafficControl } from '../network/traffic-control.ts';
import { SIGKILL } from '../syscall/constants.ts';
import { attachLoopDevice, mountDetached } from '../syscall/loop-devices.ts';
import { openProcess, processStartTime, signalProcess } from '../syscall/processes.ts';
import { loopDevicesOf } from './disk/loop-usage.ts';
import { launchExec } from './exec-launch.ts';
import { Exits } from './exits.ts';
import { InstanceClaim } from './instance-claim.ts';
import { instanceTag } from './instance-tag.ts';
import type {
  AdoptedProcess,
  ContainerExit,
  ExecProcess,
  ExecSpec,
  Kernel,
  LaunchSpec,
  LimitFeatures,
  Limits,
  ResourceStats,
  RootView,
  StartedProcess,
  ViewSpec,
} from './kernel.ts';
import { keepErrorsOffConsole } from './kernel-messages.ts';
import { claimOutputFolder } from './output-folder.ts';
import { openPipesOf } from './output-pipes.ts';
import { planTrim } from './plan/disk-plan.ts';
import { type HostFacts, readHostFacts } from './plan/host-facts.ts';
import { ProcessMaker } from './process-maker.ts';
import { fits, ReadyRoots } from './ready-roots.ts';
import { mountView, openRootOf } from './root-view.ts';
import type { Sandbox } from './sandbox.ts';
import { type LaunchParts, launchIn, openDisk, withTypes } from './sandbox-launch.ts';
import { Sandboxes } from './sandboxes.ts';
import { compileFilter, filterRules } from './seccomp.ts';
import { raiseSharedCounts } from './shared-counts.ts';
import { UserNamespace } from './user-namespace.ts';

/** Of which instance, and where. */
export interface LinuxKernelOptions {
  /** PAAS_RUN: names in the kernel are made from it. */
  run: string;
  /** PAAS_SUBNET. */
  subnet: string;
  /** Where on the host containers reach the platform itself. */
  publicAddresses?: FirewallOptions['publicAddresses'];
  /** For tests; see `FirewallOptions`. */
  connectionsPerSecond?: number;
  /** Folder of raw output, to be kept in bounds while no runtime reads it. */
  output?: string;
  /** Folder of root file systems that are mounted in advance, on the disk of the containers; undefined: none is. */
  roots?: string;
  /** Where instances are claimed, for tests; see `InstanceClaim`. */
  instances?: string;
  /** Folder for the compiled init; shared by all instances of a machine. */
  cache?: string;
}

/** Containers on this machine's Linux: processes by a zygote, limits by cgroups, network by veth and nftables. */
export class LinuxKernel implements Kernel {
  readonly #host: HostFacts;
  readonly #cgroups: Cgroups;
  readonly #processes: ProcessMaker;
  readonly #sandboxes: Sandboxes;
  readonly #traffic: TrafficControl;
  readonly #exits: Exits;
  readonly #userNamespace: UserNamespace;
  readonly #claim: InstanceClaim;
  #closed = false;
  readonly #parts: LaunchParts;

  /** Gets the machine ready: init's program, firewall, cgroups, zygote. Needs root. Throws `conflict` if a runtime runs for this instance. */
  static async open(options: LinuxKernelOptions, claimed?: InstanceClaim): Promise<LinuxKernel> {
    const { run, subnet, output } = options;
    const claim = claimed ?? (await InstanceClaim.take({ run, subnet, output }, options.instances));
    const tag = instanceTag(options.run);
    const program = await ensureInit(options.cache ?? '/var/cache/paas');
    raiseSharedCounts();
    keepErrorsOffConsole();
    const traffic = await TrafficControl.open({ ...options, tag });
    const cgroups = openCgroups(tag);
    const processes = await ProcessMaker.open({
      program,
      output: options.output === undefined ? undefined : claimOutputFolder(options.output),
      onZygote: (pid) => cgroups.adoptZygote(pid),
    });
    const userNamespace = await UserNamespace.open(processes);
    const host = readHostFacts();
    const roots = openRoots(options.roots, { processes, userNamespace });
    const sandboxes = new Sandboxes({ tag, subnet, processes, cgroups, host, userNamespace, roots });
    await sandboxes.ensureSubnet();
    return new LinuxKernel({ claim, cgroups, processes, userNamespace, sandboxes, traffic, host });
  }

  /** Takes away what an instance has in the kernel: its containers, cgroups, interfaces and firewall. */
  static async remove(options: LinuxKernelOptions, claimed?: InstanceClaim): Promise<void> {
    const kernel = await LinuxKernel.open(options, claimed);
    await kernel.#removeLeftovers(new Set());
    await kernel.dismantle();
  }

  /** When no container is left: closes, and takes cgroups, routes and firewall away too. */
  async dismantle(): Promise<void> {
    await this.#sandboxes.dismantle();
    await this.#letGo();
    await this.#cgroups.removeAll();
    await this.#traffic.dismantle();
    this.#claim.forget();
  }

  private constructor(parts: {
    claim: InstanceClaim;
    cgroups: Cgroups;
    processes: ProcessMaker;
    userNamespace: UserNamespace;
    sandboxes: Sandboxes;
    traffic: TrafficControl;
    host: HostFacts;
  }) {
    this.#claim = parts.claim;
    this.#cgroups = parts.cgroups;
    this.#processes = parts.processes;
    this.#sandboxes = parts.sandboxes;
    this.#traffic = parts.traffic;
    this.#exits = new Exits((id) => parts.cgroups.oomKills(parts.sandboxes.groupOf(id)));
    this.#userNamespace = parts.userNamespace;
    this.#host = parts.host;
    this.#parts = { ...parts, filter: compileFilter(filterRules()) };
  }

  async start(spec: LaunchSpec): Promise<StartedProcess> {
    try {
      const decided = this.#userNamespace.decide(spec);
      return await this.#startIn(await this.#sandboxes.take(decided.spec), decided);
    } catch (error) {
      await this.release(spec.id);
      throw error;
    }
  }

  adopt(id: string, process: StartedProcess, traffic = ORDINARY_TRAFFIC): AdoptedProcess | undefined {
    this.#sandboxes.adopt(id, { group: process.group ?? id, address: process.address });
    if (process.address) {
      this.#traffic.adopt(id, process.address, { ...traffic, ports: process.ports ?? [] });
    }
    const pidfd = openIfSame(process);
    if (pidfd === undefined) return { running: false, exit: this.#exits.exitOf(id, process.exitFile) };
    this.#exits.watch(id, { pid: process.pid, pidfd, exitFile: process.exitFile });
    const paused = this.#cgroups.adopt(this.#sandboxes.groupOf(id));
    return { running: true, paused, pipes: openPipesOf(process.pid) };
  }

  get limitFeatures(): LimitFeatures {
    return this.#cgroups.features;
  }

  update(id: string, limits: Limits): void {
    this.#cgroups.update(this.#sandboxes.groupOf(id), limits);
  }

  pause(id: string): Promise<void> {
    return this.#cgroups.freeze(this.#sandboxes.groupOf(id));
  }

  unpause(id: string): void {
    this.#cgroups.thaw(this.#sandboxes.groupOf(id));
  }

  /** The helpers of execs are in the container's cgroup, but not in its world. */
  processes(id: string): number[] {
    const namespace = pidNamespace(this.#exits.process(id)?.pid);
    return this.#cgroups
      .processes(this.#sandboxes.groupOf(id))
      .filter((pid) => pidNamespace(pid) === namespace);
  }

  async exec(id: string, spec: ExecSpec): Promise<ExecProcess> {
    const container = this.#exits.process(id);
    if (!container) throw notRunning(id);
    try {
      const group = this.#sandboxes.groupOf(id);
      return await launchExec(spec, { container, group, processes: this.#processes, parts: this.#parts });
    } catch (error) {
      if (isInternal(error) && (await this.#exits.isEnding(id, container))) throw notRunning(id, error);
      throw error;
    }
  }

  async openDisk(image: string): Promise<{ root: number; folder: string; close(): void }> {
    const [mounted] = loopDevicesOf(image);
    const device = mounted === undefined ? await attachLoopDevice(image) : undefined;
    try {
      const root = mountDetached(device?.path ?? mounted!);
      return { root, folder: `/proc/${process.pid}/fd/${root}`, close: () => closeSync(root) };
    } finally {
      if (device) closeSync(device.descriptor);
    }
  }

  async trimDisk(image: string): Promise<void> {
    const [device] = loopDevicesOf(image);
    if (device === undefined) return;
    const root = mountDetached(device);
    try {
      await this.#processes.run(planTrim(), { disk: root });
    } finally {
      closeSync(root);
    }
  }

  forgetMissingLayers(): void {
    this.#sandboxes.forgetMissingLayers();
  }

  openRoot(id: string): RootView | undefined {
    const process = this.#exits.process(id);
    return process && openRootOf(process);
  }

  async openView(spec: ViewSpec): Promise<RootView> {
    const disk = 'disk' in spec.rootfs ? await openDisk(spec.rootfs) : undefined;
    try {
      const binds = withTypes(spec.binds);
      return await mountView(this.#processes, { ...spec, binds, disk: disk?.disk, host: this.#host });
    } finally {
      if (disk) closeSync(disk.descriptor);
    }
  }

  kill(id: string, signal: number): void {
    const process = this.#exits.process(id);
    if (!process) return;
    this.#sandboxes.holdNetwork(id, process.pid);
    if (signal === SIGKILL) this.#cgroups.kill(this.#sandboxes.groupOf(id));
    signalProcess(process.pidfd, signal);
  }

  end(id: string): void {
    this.#exits.expect(id);
    this.kill(id, SIGKILL);
  }

  killForMemory(id: string): void {
    this.kill(id, SIGKILL);
    this.#exits.blameMemory(id);
  }

  connectionHogs(): Promise<string[]> {
    return this.#traffic.connectionHogs();
  }

  onExit(listener: (id: string, exit: ContainerExit) => void): void {
    this.#exits.onExit(listener);
  }

  changeTraffic(id: string, change: Pick<Traffic, 'networks' | 'egress'>): Promise<void> {
    return this.#traffic.change(id, change);
  }

  forward(forwards: Forward[]): Promise<RefusedForward[]> {
    return this.#traffic.forward(forwards);
  }

  async release(id: string): Promise<void> {
    this.#sandboxes.releaseGroup(id);
    await this.#releaseNetwork(id);
  }

  stats(id: string): ResourceStats {
    return this.#cgroups.stats(this.#sandboxes.groupOf(id));
  }

  get canGiveWay(): boolean {
    return this.#cgroups.canGiveWay;
  }

  giveWay(id: string, gives: boolean): void {
    this.#cgroups.giveWay(this.#sandboxes.groupOf(id), gives);
  }

  givesWay(id: string): boolean {
    return this.#cgroups.givesWay(this.#sandboxes.groupOf(id));
  }

  processorTime(id?: string): number {
    return this.#cgroups.processorTime(id === undefined ? undefined : this.#sandboxes.groupOf(id));
  }

  execute(args: string[]): Promise<void> {
    return this.#processes.execute(args);
  }

  async cleanUp(known: Set<string>): Promise<void> {
    await this.#removeLeftovers(known);
    this.#sandboxes.fillPool();
  }

  async #removeLeftovers(known: Set<string>): Promise<void> {
    await Promise.all([
      this.#traffic.replace().then(() => this.#sandboxes.cleanUpNetworks()),
      this.#sandboxes.cleanUpGroups(known),
    ]);
  }

  /** Lets go; containers go on, and a later runtime adopts them: it finds nothing that is only being made. Idempotent. */
  async close(): Promise<void> {
    await this.#letGo();
    this.#claim.close();
  }

  async #letGo(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#sandboxes.close();
    this.#exits.close();
    this.#cgroups.close();
    this.#traffic.close();
    this.#processes.close();
    this.#userNamespace.close();
  }

  /** The address is nobody's only when nothing leads to it any more. */
  async #releaseNetwork(id: string): Promise<void> {
    await this.#traffic.dismiss(id);
    await this.#sandboxes.releaseNetwork(id);
  }

  async #startIn(
    sandbox: Sandbox,
    { spec, mappedFolders }: { spec: LaunchSpec; mappedFolders: string[] },
  ): Promise<StartedProcess> {
    try {
      const { network, root } = sandbox;
      const ports = network ? await this.#traffic.admit(spec.id, network, spec.traffic) : [];
      const ready = root && fits(root, spec) ? root : undefined;
      const terminal = await launchIn(sandbox, { spec, mappedFolders, ready }, this.#parts);
      if (root && !ready) this.#sandboxes.discardRoot(root);
      this.#sandboxes.expect(spec);
      this.#exits.watch(spec.id, { pid: sandbox.pid, pidfd: sandbox.pidfd, exitFile: spec.exitFile });
      return {
        pid: sandbox.pid,
        startTime: sandbox.startTime,
        group: sandbox.group,
        address: network?.address,
        ports,
        exitFile: spec.exitFile,
        ...(terminal === undefined ? {} : { terminal }),
      };
    } catch (error) {
      await sandbox.end();
      if (sandbox.root) this.#sandboxes.discardRoot(sandbox.root);
      throw error;
    }
  }
}

function openRoots(
  folder: string | undefined,
  { processes, userNamespace }: { processes: ProcessMaker; userNamespace: UserNamespace },
): ReadyRoots | undefined {
  if (folder === undefined) return undefined;
  const roots = new ReadyRoots(folder, { execute: (args) => processes.execute(args), userNamespace });
  roots.open();
  return roots;
}

function notRunning(id: string, cause?: unknown): EngineError {
  return new EngineError('conflict', `Container ${id} is not running.`, { cause });
}

/** It is not what was asked for that was wrong. */
function isInternal(error: unknown): boolean {
  return !(error instanceof EngineError) || error.code === 'internal';
}

/** The process, unless another has its number by now. */
function openIfSame({ pid, startTime }: StartedProcess): number | undefined {
  let pidfd: number;
  try {
    pidfd = openProcess(pid);
  } catch {
    return undefined;
  }
  if (processStartTime(pid) === startTime) return pidfd;
  closeSync(pidfd);
  return undefined;
}

function pidNamespace(pid: number | undefined): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}
