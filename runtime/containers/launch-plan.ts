import type { LateEntry } from '../cgroups/group-plan.ts';
import type { Operation } from '../init/operation-list.ts';
import type { LaunchSpec } from './kernel.ts';
import { pipesOf, planClosing, planPipes } from './output-pipes.ts';
import { planApp, planExitFile, planNullInput, planStdio, planWorkingFolder } from './plan/app-plan.ts';
import { type Disk, planDisk } from './plan/disk-plan.ts';
import type { HostFacts } from './plan/host-facts.ts';
import { planKernelFolders } from './plan/kernel-folder-plan.ts';
import {
  type Bind,
  planBindSources,
  planBinds,
  planEtcFiles,
  planFolder,
  planPlaces,
  planRootChange,
  planRootDescriptor,
} from './plan/mount-plan.ts';
import { planPrivileges } from './plan/privilege-plan.ts';
import { planOomScore, planResourceLimits, planSysctls } from './plan/process-limit-plan.ts';
import { isMapped, planRootTaking, type ReadyRoot } from './plan/ready-root-plan.ts';
import { planRootfs, planRootfsPlacement, planUpper } from './plan/rootfs-plan.ts';
import { planSandboxEntry } from './plan/sandbox-plan.ts';
import { aroundBinds, planReadOnlyRoot, planTmpfs } from './plan/tmpfs-plan.ts';
import { hostId, planMappedRoot, planOwnQueues, planUserNamespace } from './plan/user-namespace-plan.ts';

/** What a launch needs beyond the spec. */
export interface LaunchContext {
  host: HostFacts;
  binds: Bind[];
  /** What `rootfs.disk` of the spec is. */
  disk?: Disk;
  /** For a container with a user namespace: the real folders of its root file system. */
  mappedFolders: string[];
  /** What its sandbox has mounted in advance, if that becomes its root file system. */
  ready?: ReadyRoot | undefined;
  /** Whether its sandbox has an empty bounding set already, and it has no user namespace. */
  isBounded?: boolean;
  /** Contents of files in /etc, by name. */
  etcFiles: Record<string, string>;
  /** A seccomp filter's BPF program. */
  filter: Uint8Array;
  /** What sets the limits of its control groups. */
  limits: Operation[];
  /** What gets it into the group that its memory is charged to. */
  entry: LateEntry;
}

/**
 * Everything that a container's first process does between its time in the sandbox (plan/sandbox-plan.ts) and the app's start: policy as
 * data, carried out by init.c. Limits come first, before anything that costs memory or time.
 */
export function planLaunch(spec: LaunchSpec, context: LaunchContext): Operation[] {
  const { host, ready } = context;
  const pipes = pipesOf(spec.stdio);
  const tmpfs = aroundBinds(spec.tmpfs ?? [], context.binds);
  const ownerOf = (id: number) => hostId(id, spec);
  return [
    ...context.limits,
    ...context.entry.open,
    ...planOomScore(spec),
    ...planStdio(spec.stdio),
    ...planPipes(pipes),
    ...planExitFile(spec.exitFile),
    ...(context.disk ? planDisk(context.disk) : []),
    ...(ready ? planRootTaking(ready, spec.rootfs) : planUpper(spec.rootfs)),
    ...(spec.userNamespace ? [...planMappedRoot(host.permitted), ...planOwnQueues()] : []),
    ...planSysctls(spec.sysctls),
    ...planBindSources(context.binds, { mapOwners: spec.userNamespace }),
    ...(ready ? [] : planRootfs(spec.rootfs, host, context.mappedFolders)),
    ...planSandboxEntry(),
    ...(ready ? [] : planRootfsPlacement()),
    ...(ready && !isMapped(ready) ? [] : planPlaces()),
    ...planRootDescriptor(),
    ...planTmpfs(tmpfs.before, ownerOf),
    ...planBinds(context.binds),
    ...planTmpfs(tmpfs.after, ownerOf),
    ...planKernelFolders(spec),
    ...planEtcFiles(context.etcFiles),
    ...planFolder(spec.cwd),
    ...(spec.readOnlyRoot ? planReadOnlyRoot() : []),
    ...planRootChange(),
    ...planNullInput(spec.stdio),
    ...planHostname(spec),
    ...context.entry.join,
    ...planResourceLimits(host, spec),
    ...(spec.userNamespace ? planUserNamespace('user namespace') : []),
    ...planClosing(pipes.length),
    ...planPrivileges(spec, host, context.filter, context),
    ...planWorkingFolder(spec.cwd),
    ...planApp(spec, { isPid1: true, pipes: pipes.length }),
  ];
}

/** Joins groups of cgroup v1. With v2 an exec's process is born there. */
export function planCgroups(names: string[]): Operation[] {
  return names.map((descriptor) => ({
    call: 'write',
    args: [{ descriptor }, '0', 1],
    purpose: `join the ${descriptor}`,
  }));
}

function planHostname({ hostname, domainName }: Pick<LaunchSpec, 'hostname' | 'domainName'>): Operation[] {
  // Linux's own name for none: else it would be the host's.
  const domain = domainName || '(none)';
  return [
    {
      call: 'sethostname',
      args: [hostname, Buffer.byteLength(hostname)],
      purpose: `set the host name "${hostname}"`,
    },
    {
      call: 'setdomainname',
      args: [domain, Buffer.byteLength(domain)],
      purpose: `set the domain name "${domain}"`,
    },
  ];
}
