import { closeSync, statSync } from 'node:fs';
import type { Cgroups } from '../cgroups/cgroups.ts';
import type { TrafficControl } from '../network/traffic-control.ts';
import { resizeTerminal } from '../syscall/descriptors.ts';
import { attachLoopDevice } from '../syscall/loop-devices.ts';
import { openDetachedTerminal } from '../syscall/terminals.ts';
import { etcFiles } from './etc-files.ts';
import { HeldDescriptors, stdioOf } from './held-descriptors.ts';
import type { LaunchSpec } from './kernel.ts';
import { type LaunchContext, planLaunch } from './launch-plan.ts';
import type { HostFacts } from './plan/host-facts.ts';
import type { Bind } from './plan/mount-plan.ts';
import type { Sandbox } from './sandbox.ts';
import { SetupError } from './setup-error.ts';
import { givePipes, terminalOwner, type UserNamespace } from './user-namespace.ts';

/** What a launch needs of the kernel side. */
export interface LaunchParts {
  host: HostFacts;
  /** A seccomp filter's BPF program. */
  filter: Uint8Array;
  cgroups: Cgroups;
  traffic: TrafficControl;
  userNamespace: UserNamespace;
}

/** Makes a container of a sandbox. Returns the master of its terminal, if it has one. Rejects with `SetupError`. */
export async function launchIn(
  sandbox: Sandbox,
  { spec, mappedFolders, ready }: Pick<LaunchContext, 'mappedFolders' | 'ready'> & { spec: LaunchSpec },
  { host, filter, cgroups, traffic, userNamespace }: LaunchParts,
): Promise<number | undefined> {
  using open = new HeldDescriptors();
  const disk = await openDisk(spec.rootfs);
  if (disk) open.add({ disk: disk.descriptor });
  const terminal = 'terminal' in spec.stdio ? openDetachedTerminal(terminalOwner(spec)) : undefined;
  const stdio = terminal
    ? open.add({ terminals: terminal.fileSystem, terminal: terminal.slave })
    : stdioOf(spec.stdio);
  try {
    if (terminal && 'terminal' in spec.stdio) resizeTerminal(terminal.master, spec.stdio.terminal);
    givePipes(spec);
    await sandbox.launch({
      operations: planLaunch(spec, {
        host,
        mappedFolders,
        ready,
        isBounded: sandbox.isBounded && !spec.userNamespace,
        ...(disk && { disk: disk.disk }),
        binds: withTypes(spec.binds),
        etcFiles: etcFiles({
          hostname: spec.hostname,
          domainName: spec.domainName,
          address: sandbox.network?.address,
          extraHosts: spec.extraHosts,
          resolvConf: sandbox.network ? traffic.resolvConf(spec.traffic.dns) : '',
        }),
        filter,
        limits: cgroups.setLimits(sandbox.group, spec.limits, sandbox.limits),
        entry: cgroups.enterLate(sandbox.group),
      }),
      descriptors: {
        ...(spec.userNamespace && { 'user namespace': userNamespace.descriptor! }),
        ...stdio,
      },
    });
    return terminal?.master;
  } catch (error) {
    if (terminal) closeSync(terminal.master);
    throw error;
  }
}

/** Binds with the type of their sources. Throws `SetupError` for one that is not there. */
export function withTypes(binds: LaunchSpec['binds']): Bind[] {
  return binds.map((bind) => ({ ...bind, isFolder: isFolder(bind.source) }));
}

/** The device that a container's disk is, and a descriptor that keeps it until it is mounted. */
export async function openDisk({ disk, volatile }: Pick<LaunchSpec['rootfs'], 'disk' | 'volatile'>) {
  if (!disk) return undefined;
  const { path, descriptor } = await attachLoopDevice(disk.image);
  return { disk: { device: path, folder: disk.folder, volatile }, descriptor };
}

function isFolder(source: string): boolean {
  const stat = statSync(source, { throwIfNoEntry: false });
  if (!stat) throw new SetupError(125, `There is no "${source}" to mount.`);
  return stat.isDirectory();
}
