import type { Operation } from '../../init/operation-list.ts';
import { CLONE, FITRIM, MOUNT, OPEN } from '../../syscall/constants.ts';

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
 * ext4(5). `nodelalloc`: blocks are found as a file is written, by who writes. Otherwise the kernel's workers do it for thousands of pages at once when
 * these are written out, and then finish each of them once more: a millisecond each time in which nobody else has that processor.
 */
const OPTIONS = 'noinit_itable,nodelalloc';

/**
 * Mounts the disk in a private copy of the host's mount namespace, which the overlay's upper folder has to be in. No mount
 * of it is ever in the host's namespace: it ends with the container's last process, and its loop device with it.
 */
export function planDisk({ device, folder, volatile }: Disk): Operation[] {
  const options = volatile ? `${OPTIONS},nobarrier` : OPTIONS;
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

/** Gives the host back what the files on the disk, whose root is `{ descriptor: 'disk' }`, do not need; nothing, where its file system cannot take it. */
export function planTrim(): Operation[] {
  const purpose = 'trim the disk';
  return [
    {
      call: 'openat',
      args: [{ descriptor: 'disk' }, '.', OPEN.RDONLY | OPEN.CLOEXEC],
      purpose,
      result: 'root folder',
    },
    {
      call: 'ioctl',
      args: [{ result: 'root folder' }, FITRIM, wholeDisk()],
      purpose,
      tolerate: 'EOPNOTSUPP',
    },
  ];
}

/** `struct fstrim_range`: start, length and the least that is worth it, in bytes. The kernel writes into it. */
function wholeDisk(): Uint8Array {
  const range = new BigUint64Array([0n, 2n ** 64n - 1n, 0n]);
  return new Uint8Array(range.buffer);
}
