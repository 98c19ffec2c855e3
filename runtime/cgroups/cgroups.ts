import { existsSync } from 'node:fs';
import type { LimitFeatures, Limits, ResourceStats } from '../containers/kernel.ts';
import type { Operation } from '../init/operation-list.ts';
import { CgroupsV1 } from './cgroups-v1.ts';
import { CgroupsV2 } from './cgroups-v2.ts';
import type { LateEntry } from './group-plan.ts';

/** One control group per container: limits, figures, and the certainty that nothing of it is left. See cgroups(7). */
export interface Cgroups {
  readonly version: 1 | 2;
  /** Which limits this kernel knows. */
  readonly features: LimitFeatures;
  /** Sees to it that there is a group; an empty leftover of the same name is taken over. Returns what a new process has to do for that, and to get in as far as it can be in early. */
  enter(id: string): Operation[];
  /**
   * Sets the limits of a group in which nothing of a container runs yet. `before`: those that it has, all of them `revocableLimits`.
   * Returns what of it a process in the group has to do itself.
   */
  setLimits(id: string, limits: Limits, before: Limits): Operation[];
  /** What gets it in altogether. */
  enterLate(id: string): LateEntry;
  /** Gives a group with processes in it other limits. Throws `conflict` for less memory than they use. */
  update(id: string, limits: Limits): void;
  /** Opens what another process needs to get in, by name; the caller closes them. Version 2: one folder, `cgroup`. */
  open(id: string): Record<string, number>;
  /** Stops every process of the group where it stands. Throws `unavailable` if they cannot be stopped. */
  freeze(id: string): Promise<void>;
  /** Lets them go on. */
  thaw(id: string): void;
  /** Takes up the group of a container that an earlier runtime started. Returns whether it is frozen. */
  adopt(id: string): boolean;
  /** The processes in the group, in the host's numbers. */
  processes(id: string): number[];
  /** Sees to it that killing the container's first process ends every process in the group, also a frozen one. */
  kill(id: string): void;
  /** What the container's group is in the file system. */
  folders(id: string): string[];
  /** Removes the group, after killing what is in it. Idempotent. Throws if it cannot be emptied. */
  remove(id: string): Promise<void>;
  /** Ids of the containers that have a group. */
  list(): string[];
  stats(id: string): ResourceStats;
  /** Whether a group can be told to give way (Linux 5.15). */
  readonly canGiveWay: boolean;
  /** Whether its processes run only where those of no other group want to; afterwards its weight is the kernel's default. */
  giveWay(id: string, gives: boolean): void;
  givesWay(id: string): boolean;
  /** Nanoseconds of processor time that the group has used, or all of this instance together. */
  processorTime(id?: string): number;
  /** How many processes of the group were killed for want of memory. */
  oomKills(id: string): number;
  /** Takes the zygote out of our own service's group, so that stopping us does not stop it. */
  adoptZygote(pid: number): void;
  /** Lets go; the groups stay. */
  close(): void;
  /** Removes every group of this instance, with what runs in them. */
  removeAll(): Promise<void>;
}

/** The control groups of this machine, in a folder `paas-<tag>` of our own; systemd leaves folders alone that it did not make. */
export function openCgroups(tag: string): Cgroups {
  return isUnified() ? new CgroupsV2(nameOf(tag)) : new CgroupsV1(nameOf(tag));
}

/** Whether a process is in a container's group of the instance with this tag. It makes nothing: the instance may just be taken away. */
export function hasProcesses(tag: string): boolean {
  const groups = isUnified() ? CgroupsV2.groupsOf(nameOf(tag)) : CgroupsV1.groupsOf(nameOf(tag));
  return groups.some((group) => group.processes().length > 0);
}

function isUnified(): boolean {
  return existsSync('/sys/fs/cgroup/cgroup.controllers');
}

function nameOf(tag: string): string {
  return `paas-${tag}`;
}
