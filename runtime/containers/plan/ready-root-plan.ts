import type { Operation } from '../../init/operation-list.ts';
import { AT } from '../../syscall/constants.ts';
import type { LaunchSpec } from '../kernel.ts';
import { BASE } from './base-namespace.ts';
import type { HostFacts } from './host-facts.ts';
import { planPlaces } from './mount-plan.ts';
import { planRootfs, planRootfsPlacement, planUpper } from './rootfs-plan.ts';
import { planHostRoot, planMappedRoot } from './user-namespace-plan.ts';

/** A root file system that a sandbox has mounted before it is known for whom; see ReadyRoots. */
export interface ReadyRoot {
  /** Layer folders, topmost first. */
  lower: string[];
  /** Its own two folders, which become the container's. */
  upper: string;
  work: string;
  /** For a container with a user namespace: the folders whose owners are mapped. */
  mappedFolders: string[];
  /** Absolute paths that a container looks for at its start: from then on the kernel knows where they are, or that they are not. */
  lookups: string[];
}

/** Whether it is for a container with a user namespace: then its folders are made by that container's root, at the start. */
export function isMapped({ mappedFolders }: Pick<ReadyRoot, 'mappedFolders'>): boolean {
  return mappedFolders.length > 0;
}

/** Stacks it, `{ result: 'rootfs' }`, in the host's mount namespace. */
export function planReadyRoot(root: ReadyRoot, host: HostFacts): Operation[] {
  return [
    ...planUpper(root),
    ...(isMapped(root) ? planMappedRoot(host.permitted) : []),
    ...planRootfs({ ...root, volatile: false }, host, root.mappedFolders),
    ...(isMapped(root) ? planHostRoot(host.permitted) : []),
  ];
}

/**
 * Places it in the sandbox's own mount namespace. There it stays, under the container's own, when it turns out that it is not the one: to let go of it would
 * take as long as bringing the whole disk that it is on up to date.
 */
export function planReadyRootPlacement(root: ReadyRoot): Operation[] {
  const lookUp = (path: string): Operation => ({
    call: 'faccessat',
    args: [AT.FDCWD, `${BASE.root}${path}`, 0],
    purpose: `look for "${path}"`,
    tolerate: 'any',
  });
  return [...planRootfsPlacement(), ...(isMapped(root) ? [] : planPlaces()), ...root.lookups.map(lookUp)];
}

/** Its folders become those of a container that has none; the overlay does not notice. In the host's mount namespace. */
export function planRootTaking(root: ReadyRoot, { upper, work }: LaunchSpec['rootfs']): Operation[] {
  const move = (from: string, to: string): Operation => ({
    call: 'renameat',
    args: [AT.FDCWD, from, AT.FDCWD, to],
    purpose: `rename "${from}" to "${to}"`,
    onDataDisk: true,
  });
  return [move(root.upper, upper), move(root.work, work)];
}
