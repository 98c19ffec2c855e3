import { readdirSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { Cgroups } from '../cgroups/cgroups.ts';
import { revocableLimits } from '../cgroups/limit-plan.ts';
import { AddressPool } from '../network/address-pool.ts';
import type { ContainerNetwork } from '../network/container-network.ts';
import { planSubnet, planSubnetRemoval } from '../network/network-plan.ts';
import { Subnet } from '../network/subnet.ts';
import { GroupRemoval } from './group-removal.ts';
import { InterfaceRemoval } from './interface-removal.ts';
import type { LaunchSpec, Limits } from './kernel.ts';
import type { HostFacts } from './plan/host-facts.ts';
import { keptCapabilities } from './plan/privilege-plan.ts';
import type { ReadyRoot } from './plan/ready-root-plan.ts';
import type { ProcessMaker } from './process-maker.ts';
import { isMissing, type ReadyRoots, suits } from './ready-roots.ts';
import type { Sandbox } from './sandbox.ts';
import { SandboxMaker, type SandboxParts } from './sandbox-maker.ts';
import { SandboxPool } from './sandbox-pool.ts';
import type { UserNamespace } from './user-namespace.ts';

/** Which container has which network and control group, which are ready, and which are left over. */
export class Sandboxes {
  readonly #processes: ProcessMaker;
  readonly #subnet: Subnet;
  readonly #addresses: AddressPool;
  readonly #maker: SandboxMaker;
  readonly #pool: SandboxPool;
  readonly #interfaces: InterfaceRemoval;
  readonly #groups: GroupRemoval;
  readonly #roots: ReadyRoots | undefined;
  /** By container: the name of its interface. */
  readonly #networkOf = new Map<string, string>();
  /** By container. */
  readonly #groupOf = new Map<string, string>();
  /** Of the last container: the next one will want the same, mostly. */
  #expectedLimits: Limits = {};
  /** Interfaces of an earlier runtime, until they are adopted. */
  readonly #unclaimed: Set<string>;
  /** Groups of an earlier runtime, until they are cleaned up. */
  readonly #earlierGroups: string[];
  #closed = false;

  constructor(options: {
    tag: string;
    subnet: string;
    processes: ProcessMaker;
    cgroups: Cgroups;
    host: HostFacts;
    userNamespace: UserNamespace;
    /** Undefined: none is mounted in advance. */
    roots: ReadyRoots | undefined;
  }) {
    this.#processes = options.processes;
    this.#roots = options.roots;
    this.#subnet = new Subnet(options.subnet);
    this.#addresses = new AddressPool({
      tag: options.tag,
      subnet: this.#subnet,
      existing: readdirSync('/sys/class/net'),
    });
    this.#unclaimed = new Set(this.#addresses.interfaces());
    this.#earlierGroups = options.cgroups.list();
    this.#interfaces = new InterfaceRemoval(options);
    this.#groups = new GroupRemoval(options);
    this.#maker = new SandboxMaker(options);
    this.#pool = new SandboxPool({
      addresses: this.#addresses,
      make: (network) => this.#makeInAdvance(network),
      discardNetwork: (name) => this.#discardNetwork(name),
      discard: (sandbox) => this.#discard(sandbox),
      bounds: poolBounds(totalmem(), this.#subnet.capacity),
    });
  }

  /** Gets the host ready. */
  async ensureSubnet(): Promise<void> {
    await this.#processes.run(planSubnet(this.#subnet));
  }

  /** Begins to make sandboxes in advance. */
  fillPool(): void {
    this.#pool.fill();
  }

  /** Lets go of what was made in advance; containers keep theirs. Resolves when nothing is being made any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#roots?.close(), this.#pool.close()]);
  }

  /** Takes everything away that no container has: what was made in advance, and what `ensureSubnet` did. */
  async dismantle(): Promise<void> {
    await Promise.all([this.#roots?.close(), this.#pool.close()]);
    await Promise.all(this.#addresses.interfaces().map((name) => this.#removeNetwork(name)));
    await this.#processes.run(planSubnetRemoval(this.#subnet));
  }

  /** One for a new container, with an address or with loopback alone. Rejects when all addresses are taken. */
  async take(spec: LaunchSpec): Promise<Sandbox> {
    const sandbox = isMadeApart(spec)
      ? await this.#makeApart(spec)
      : await this.#pool.take(({ root }) => suits(root, spec));
    this.#groupOf.set(spec.id, sandbox.group);
    if (sandbox.network) this.#networkOf.set(spec.id, sandbox.network.name);
    return sandbox;
  }

  /** A container came up with this. */
  expect(spec: LaunchSpec): void {
    if (isMadeApart(spec)) return;
    this.#expectedLimits = revocableLimits(spec.limits);
    this.#roots?.expect(spec);
  }

  /** Layers were removed from the disk: lets go of what was mounted of them in advance, which holds their files. */
  forgetMissingLayers(): void {
    this.#roots?.forgetMissing();
    this.#pool.drop(({ root }) => root !== undefined && isMissing(root));
  }

  /** What a sandbox had mounted in advance is no root file system of a container's. */
  discardRoot(root: ReadyRoot): void {
    this.#roots?.discard(root);
  }

  /** A container that an earlier runtime started has this group and, perhaps, this address. */
  adopt(id: string, { group, address }: { group: string; address: string | undefined }): void {
    this.#groupOf.set(id, group);
    if (address === undefined) return;
    const name = this.#addresses.claim(address);
    this.#networkOf.set(id, name);
    this.#unclaimed.delete(name);
  }

  /** The name of a container's control group. */
  groupOf(id: string): string {
    return this.#groupOf.get(id) ?? id;
  }

  /** Removes a container's group, if it has one, in the background: it is no other container's. */
  releaseGroup(id: string): void {
    const group = this.#groupOf.get(id);
    if (group === undefined) return;
    this.#pool.postpone();
    this.#groupOf.delete(id);
    this.#discardGroup(group);
  }

  /** The container, whose first process this is, is about to end. */
  holdNetwork(id: string, pid: number): void {
    const name = this.#networkOf.get(id);
    if (name !== undefined) this.#interfaces.hold(name, pid);
  }

  /** Removes a container's network, if it has one, and frees its address. */
  async releaseNetwork(id: string): Promise<void> {
    const name = this.#networkOf.get(id);
    if (name === undefined) return;
    this.#networkOf.delete(id);
    await this.#removeNetwork(name);
  }

  /** Removes the groups that an earlier runtime left and that are not of these containers. */
  async cleanUpGroups(known: Set<string>): Promise<void> {
    const kept = new Set([...known].map((id) => this.groupOf(id)));
    const leftover = this.#earlierGroups.splice(0).filter((name) => !kept.has(name));
    await Promise.all(leftover.map((name) => this.#groups.remove(name)));
  }

  /** Removes the networks that an earlier runtime left and that belong to no container. */
  async cleanUpNetworks(): Promise<void> {
    const leftover = [...this.#unclaimed];
    this.#unclaimed.clear();
    await Promise.all(leftover.map((name) => this.#removeNetwork(name)));
  }

  /** For the pool. */
  async #makeInAdvance(network: ContainerNetwork): Promise<Sandbox> {
    const root = this.#roots?.begin();
    try {
      return await this.#make({ network, isBounded: true, root });
    } catch (error) {
      if (root) this.discardRoot(root);
      // Its image may have been removed since, or the disk may be full: the next one does without.
      this.#roots?.forget();
      throw error;
    }
  }

  async #makeApart(spec: LaunchSpec): Promise<Sandbox> {
    const network = hasNetwork(spec) ? this.#addresses.take() : undefined;
    try {
      return await this.#make({ network, isBounded: !keepsCapabilities(spec), root: undefined });
    } catch (error) {
      if (network) this.#discardNetwork(network.name);
      throw error;
    }
  }

  #make(parts: Omit<SandboxParts, 'limits'>): Promise<Sandbox> {
    return this.#maker.make({ ...parts, limits: this.#expectedLimits }, (group) => this.#discardGroup(group));
  }

  #discard(sandbox: Sandbox): void {
    const { network, group, pid } = sandbox;
    if (network) this.#interfaces.hold(network.name, pid);
    sandbox.discard();
    if (sandbox.root) this.discardRoot(sandbox.root);
    this.#discardGroup(group);
    if (network) this.#discardNetwork(network.name);
  }

  #discardGroup(name: string): void {
    this.#groups.remove(name).catch((error) => this.#report(error));
  }

  #discardNetwork(name: string): void {
    this.#removeNetwork(name).catch((error) => this.#report(error));
  }

  /** At the end the next runtime removes the rest. */
  #report(error: unknown): void {
    if (!this.#closed) console.error('What a container or sandbox had could not be removed:', error);
  }

  async #removeNetwork(name: string): Promise<void> {
    await this.#interfaces.remove(name);
    this.#addresses.free(name);
  }
}

/** Whether its sandbox is made at its start, and none in advance is like it. */
function isMadeApart(spec: LaunchSpec): boolean {
  return !hasNetwork(spec) || keepsCapabilities(spec);
}

function hasNetwork({ network }: LaunchSpec): boolean {
  return network === 'nat';
}

/** Outside of a user namespace. */
function keepsCapabilities(spec: LaunchSpec): boolean {
  return !spec.userNamespace && keptCapabilities(spec) > 0n;
}

/**
 * A sandbox takes some 600 KB of the kernel's memory: at most 1/32 of it for those that only wait, and never most of the addresses.
 */
function poolBounds(memory: number, addresses: number): { least: number; most: number } {
  const SANDBOX_SIZE = 600 * 1024;
  return { least: 8, most: Math.floor(Math.min(memory / 32 / SANDBOX_SIZE, addresses / 4)) };
}
