import type { Operation } from '../../init/operation-list.ts';
import { CLONE, MOUNT } from '../../syscall/constants.ts';

/** A container's own disk: what it writes goes there, and no more than it holds. */
export interface Disk {
  /** `/dev/loop3`, an ext4 file system. */
  device: string;
  /** An empty folder to mount it at, where only this container sees it. */
  folder: string;
  /** Its files need not survive a power cut. */
  volatile: boolean;
}

/**
 * Mounts the disk in a private copy of the host's mount namespace, which the overlay's upper folder has to be in. No mount
 * of it is ever in the host's namespace: it ends with the container's last process, and its loop device with it.
 */
export function planDisk({ device, folder, volatile }: Disk): Operation[] {
  const options = volatile ? 'noinit_itable,nobarrier' : 'noinit_itable';
  return [
    { call: 'unshare', args: [CLONE.NEWNS], purpose: 'copy the host’s mount namespace' },
    {
      call: 'mount',
      args: ['none', '/', null, MOUNT.REC | MOUNT.PRIVATE, null],
      purpose: 'make the copy of the host’s mount namespace private',
    },
    {
      call: 'mount',
      args: [device, folder, 'ext4', MOUNT.NODEV | MOUNT.NOSUID, options],
      purpose: `mount the container’s disk "${device}"`,
    },
  ];
}
