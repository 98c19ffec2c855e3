import { join } from 'node:path';

/** In a container's folder: where its disk is mounted, for itself alone. */
export const DISK_FOLDER = 'disk';

/** On a container's disk: overlay's folders. */
export const DISK_UPPER = 'upper';
export const DISK_WORK = 'work';

/** The file that is a container's disk; `folder` is the container's. */
export function diskImage(folder: string): string {
  return join(folder, 'disk.ext4');
}
