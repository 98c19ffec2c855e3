import type { Operation } from '../../init/operation-list.ts';
import { AT, CLONE, MOUNT_ATTRIBUTE, MOVE_MOUNT, OPEN, OPEN_TREE } from '../../syscall/constants.ts';
import { CAPABILITY_HEADER, capabilitySets } from './privilege-plan.ts';

/**
 * Users of the host that only exist inside: above those that systemd gives to containers and below the sign bit
 * (systemd, UIDS-GIDS.md). User N of a container with a user namespace is user FIRST + N of the host.
 */
const FIRST = 0x7000_0000;
const COUNT = 0x0f00_0000;

/** For /proc/PID/uid_map and gid_map; see user_namespaces(7). */
export const ID_MAP = `0 ${FIRST} ${COUNT}\n`;

/** The user or group of the host that this one of a container with a user namespace is. */
export function outsideId(id: number): number {
  return FIRST + id;
}

/** The same of any container. */
export function hostId(id: number, { userNamespace }: { userNamespace: boolean }): number {
  return userNamespace ? outsideId(id) : id;
}

/**
 * From here on what this process makes belongs to root inside: files in the container's root file system, and what the overlay,
 * which works with the user that mounted it, makes in its upper folder. Capabilities stay (a change of the user takes them out of effect).
 */
export function planMappedRoot(permitted: bigint): Operation[] {
  const purpose = 'make files as root of the user namespace';
  return [
    { call: 'dup3', args: [{ descriptor: 'user namespace' }, NAMESPACE, OPEN.CLOEXEC], purpose },
    ...planMaker(FIRST, permitted, purpose),
  ];
}

/** Root of the host again. */
export function planHostRoot(permitted: bigint): Operation[] {
  return planMaker(0, permitted, 'make files as root of the host');
}

function planMaker(id: number, permitted: bigint, purpose: string): Operation[] {
  return [
    { call: 'setfsgid', args: [id], purpose },
    { call: 'setfsuid', args: [id], purpose },
    { call: 'capset', args: [CAPABILITY_HEADER, capabilitySets(permitted)], purpose },
  ];
}

/** As root of the user namespace. */
export function planOwnQueues(): Operation[] {
  return [{ call: 'unshare', args: [CLONE.NEWIPC], purpose: 'make message queues that are its root’s' }];
}

/**
 * Covers folders with themselves, their owners mapped, in a private mount namespace. What is on the disk stays as it is, so that
 * a layer is the same whoever wrote it.
 */
export function planMappedFolders(folders: string[]): Operation[] {
  return folders.flatMap((folder): Operation[] => {
    const purpose = `map the owners in "${folder}"`;
    return [
      {
        call: 'open_tree',
        args: [AT.FDCWD, folder, OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC],
        purpose,
        result: 'mapped',
      },
      planOwnerMap('mapped', purpose),
      {
        call: 'move_mount',
        args: [{ result: 'mapped' }, '', AT.FDCWD, folder, MOVE_MOUNT.F_EMPTY_PATH],
        purpose,
      },
      { call: 'close', args: [{ result: 'mapped' }], purpose },
    ];
  });
}

/** Shows the owners of a mount that is nowhere yet as users of the user namespace; see mount_setattr(2), "ID-mapped mounts". */
export function planOwnerMap(mount: string, purpose: string): Operation {
  return {
    call: 'mount_setattr',
    args: [{ result: mount }, '', AT.EMPTY_PATH, ownerMap(NAMESPACE), OWNER_MAP_SIZE],
    purpose,
  };
}

/** `struct mount_attr`. */
export function ownerMap(namespace: number): Buffer {
  return Buffer.from(new BigUint64Array([BigInt(MOUNT_ATTRIBUTE.IDMAP), 0n, 0n, BigInt(namespace)]).buffer);
}

export const OWNER_MAP_SIZE = 32;

/** The number of the user namespace's descriptor: it stands in structures. */
const NAMESPACE = 200;

/** After everything that only the host's root may do. `descriptor`: of the namespace, or of a process in it. */
export function planUserNamespace(descriptor: string): Operation[] {
  return [{ call: 'setns', args: [{ descriptor }, CLONE.NEWUSER], purpose: 'enter the user namespace' }];
}
