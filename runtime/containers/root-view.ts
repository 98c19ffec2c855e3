import { closeSync } from 'node:fs';
import type { Operation } from '../init/operation-list.ts';
import { AT, CLONE, OPEN, OPEN_TREE } from '../syscall/constants.ts';
import { openPath } from '../syscall/files.ts';
import { signalProcess } from '../syscall/processes.ts';
import type { RootView, ViewSpec } from './kernel.ts';
import { BASE } from './plan/base-namespace.ts';
import { type Disk, planDisk } from './plan/disk-plan.ts';
import type { HostFacts } from './plan/host-facts.ts';
import { type Bind, planBindSources, planBinds, planRootDescriptor } from './plan/mount-plan.ts';
import { planReadOnlyRootfs, planRootfs, planRootfsPlacement, planUpper } from './plan/rootfs-plan.ts';
import { hostId } from './plan/user-namespace-plan.ts';
import type { ProcessMaker } from './process-maker.ts';
import { hasUserNamespace } from './user-namespace.ts';

/** A spec with all that a plan needs to know. */
export interface ViewContext {
  rootfs: ViewSpec['rootfs'];
  binds: Bind[];
  disk: Disk | undefined;
  host: HostFacts;
}

/**
 * Mounts a root file system and its binds in a copy of the base namespace, which ends with the view: nobody has it but us, and
 * nothing of it is left when the runtime is killed.
 */
export function mountView(processes: ProcessMaker, context: ViewContext): Promise<RootView> {
  const descriptors = { 'base namespace': processes.baseNamespace };
  return processes.hold({ cloneFlags: 0, operations: planView(context), descriptors }, (pid) => {
    const namespace = openPath(`/proc/${pid}/ns/mnt`, OPEN.RDONLY);
    const folder = openPath(`/proc/${pid}/root${BASE.root}`, OPEN.PATH | OPEN.DIRECTORY);
    const close = () => {
      closeSync(folder);
      closeSync(namespace);
    };
    return { folder, ownersFrom: 0, close };
  });
}

/** The root folder of a running process; undefined if it has ended. */
export function openRootOf(process: { pid: number; pidfd: number }): RootView | undefined {
  let ownersFrom: number;
  let folder: number;
  try {
    ownersFrom = hostId(0, { userNamespace: hasUserNamespace(process.pid) });
    folder = openPath(`/proc/${process.pid}/root`, OPEN.PATH | OPEN.DIRECTORY);
  } catch {
    return undefined;
  }
  // Only if it still lives was the number its own until here.
  if (signalProcess(process.pidfd, 0)) return { folder, ownersFrom, close: () => closeSync(folder) };
  closeSync(folder);
  return undefined;
}

/** What the process does that makes the view. */
export function planView({ rootfs, binds, disk, host }: ViewContext): Operation[] {
  return [
    ...(disk ? planDisk(disk) : []),
    ...planBindSources(binds, { mapOwners: false }),
    ...('upper' in rootfs
      ? [...planUpper(rootfs), ...planRootfs(rootfs, host)]
      : planReadOnly(rootfs.lower, host)),
    {
      call: 'setns',
      args: [{ descriptor: 'base namespace' }, CLONE.NEWNS],
      purpose: 'enter the base mount namespace',
    },
    { call: 'unshare', args: [CLONE.NEWNS], purpose: 'copy the base mount namespace' },
    ...planRootfsPlacement(),
    ...planRootDescriptor(),
    ...planBinds(binds),
  ];
}

/** An overlay needs two folders. */
function planReadOnly(lower: string[], host: HostFacts): Operation[] {
  if (lower.length > 1) return planReadOnlyRootfs(lower, host);
  const purpose = `open the layer "${lower[0]}"`;
  return [
    {
      call: 'open_tree',
      args: [AT.FDCWD, lower[0]!, OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC],
      purpose,
      result: 'rootfs',
    },
  ];
}
