import type { Operation } from '../../init/operation-list.ts';
import { AT, FSCONFIG, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC, MOUNT_ATTRIBUTE } from '../../syscall/constants.ts';
import { mostFiles, type TmpfsMount } from '../tmpfs.ts';
import { BASE } from './base-namespace.ts';
import { placeInRoot, planFolder } from './mount-plan.ts';

/** Mounts file systems in memory; `ownerOf` tells which user of the host one of the container is. */
export function planTmpfs(mounts: TmpfsMount[], ownerOf: (id: number) => number): Operation[] {
  return mounts.flatMap((mount) => [
    ...planFolder(mount.target),
    ...planTmpfsMount(mount, ownerOf),
    ...placeInRoot({ result: 'tmpfs' }, mount.target, true),
  ]);
}

/** What has to be there before the binds, and what lies in one of them; each with the outer folders first. */
export function aroundBinds(
  mounts: TmpfsMount[],
  binds: { target: string }[],
): { before: TmpfsMount[]; after: TmpfsMount[] } {
  const sorted = [...mounts].sort((one, other) => one.target.length - other.target.length);
  const isInBind = ({ target }: TmpfsMount) => binds.some((bind) => target.startsWith(`${bind.target}/`));
  return { before: sorted.filter((mount) => !isInBind(mount)), after: sorted.filter(isInBind) };
}

/** The root file system alone: what is mounted into it stays as it is. After everything has its place in it. */
export function planReadOnlyRoot(): Operation[] {
  const attributes = Buffer.from(new BigUint64Array([BigInt(MOUNT_ATTRIBUTE.RDONLY), 0n, 0n, 0n]).buffer);
  return [
    {
      call: 'mount_setattr',
      args: [AT.FDCWD, BASE.root, 0, attributes, attributes.length],
      purpose: 'make the root file system read-only',
    },
  ];
}

/** A mount that is nowhere yet, `{ result: 'tmpfs' }`. */
function planTmpfsMount(mount: TmpfsMount, ownerOf: (id: number) => number): Operation[] {
  const purpose = `make the tmpfs for "${mount.target}"`;
  const options = {
    source: 'tmpfs',
    size: String(mount.size),
    nr_inodes: String(mostFiles(mount.size)),
    mode: mount.mode,
    uid: String(ownerOf(mount.uid)),
    gid: String(ownerOf(mount.gid)),
  };
  const attributes =
    MOUNT_ATTRIBUTE.NOSUID |
    MOUNT_ATTRIBUTE.NODEV |
    (mount.executable ? 0 : MOUNT_ATTRIBUTE.NOEXEC) |
    (mount.readOnly ? MOUNT_ATTRIBUTE.RDONLY : 0);
  const context = { result: 'context' };
  return [
    { call: 'fsopen', args: ['tmpfs', FSOPEN_CLOEXEC], purpose, result: 'context' },
    ...Object.entries(options).map(([key, value]) => ({
      call: 'fsconfig',
      args: [context, FSCONFIG.SET_STRING, key, value, 0],
      purpose,
    })),
    { call: 'fsconfig', args: [context, FSCONFIG.CMD_CREATE, null, null, 0], purpose },
    { call: 'fsmount', args: [context, FSMOUNT_CLOEXEC, attributes], purpose, result: 'tmpfs' },
    { call: 'close', args: [context], purpose },
  ];
}
