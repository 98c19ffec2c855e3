import { closeSync, openSync } from 'node:fs';
import { FSCONFIG, FSMOUNT_CLOEXEC, FSOPEN_CLOEXEC, MOUNT_ATTRIBUTE } from './constants.ts';
import { SystemCallError, systemCall, systemCallAsync } from './system-call.ts';

const LOOP_CONFIGURE = 0x4c0a;
const LOOP_CTL_GET_FREE = 0x4c82;
const LO_FLAGS_AUTOCLEAR = 4;
/** Without it all is in the page cache twice, and copied by the kernel's own threads, which count as nobody's when processors are shared out. */
const LO_FLAGS_DIRECT_IO = 16;
/** `struct loop_config`: descriptor, block size, `struct loop_info64` (its flags at 60), reserved. */
const CONFIG_SIZE = 304;
const FLAGS_AT = 60;
/** Another program may take the free device before us. */
const ATTEMPTS = 16;

/** A file as a block device; it ends when neither a mount nor a descriptor has it open. */
export interface LoopDevice {
  /** `/dev/loop3` */
  path: string;
  /** Keeps the device until it is mounted; the caller closes it. */
  descriptor: number;
}

/** Makes a block device of a file. Nobody has to take it away, also not after a kill (LO_FLAGS_AUTOCLEAR); see loop(4). */
export async function attachLoopDevice(file: string): Promise<LoopDevice> {
  const image = openSync(file, 'r+');
  const control = openSync('/dev/loop-control', 'r+');
  try {
    for (let attempt = 1; ; attempt++) {
      const path = `/dev/loop${systemCall('ioctl', control, LOOP_CTL_GET_FREE, 0)}`;
      const descriptor = openSync(path, 'r+');
      try {
        await systemCallAsync('ioctl', descriptor, LOOP_CONFIGURE, loopConfig(image));
        return { path, descriptor };
      } catch (error) {
        closeSync(descriptor);
        const isTaken = error instanceof SystemCallError && error.code === 'EBUSY';
        if (!isTaken || attempt === ATTEMPTS) throw error;
      }
    }
  } finally {
    closeSync(control);
    closeSync(image);
  }
}

/** Mounts an ext4 file system on a device, nowhere: the descriptor is its root folder, and the mount ends with it. See fsmount(2). */
export function mountDetached(device: string): number {
  const context = systemCall('fsopen', 'ext4', FSOPEN_CLOEXEC);
  try {
    systemCall('fsconfig', context, FSCONFIG.SET_STRING, 'source', device, 0);
    systemCall('fsconfig', context, FSCONFIG.CMD_CREATE, null, null, 0);
    return systemCall('fsmount', context, FSMOUNT_CLOEXEC, MOUNT_ATTRIBUTE.NODEV | MOUNT_ATTRIBUTE.NOSUID);
  } finally {
    closeSync(context);
  }
}

function loopConfig(image: number): Buffer {
  const config = Buffer.alloc(CONFIG_SIZE);
  config.writeUInt32LE(image, 0);
  config.writeUInt32LE(4096, 4);
  config.writeUInt32LE(LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO, FLAGS_AT);
  return config;
}
