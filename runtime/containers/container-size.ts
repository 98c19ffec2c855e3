import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SizeQueue } from '../files/size-queue.ts';
import type { LayerStore } from '../images/layer-store.ts';
import type { Container } from './container.ts';
import type { ContainerStore } from './container-store.ts';
import { DISK_UPPER, diskImage } from './disk/disk-folders.ts';
import type { Kernel } from './kernel.ts';

export interface ContainerSizeOptions {
  kernel: Pick<Kernel, 'openDisk'>;
  store: ContainerStore;
  layers: LayerStore;
  sizes: SizeQueue;
}

/** Bytes in the files that a container has written itself, and in all that it sees; spelt as the Engine API does. */
export async function containerSize(
  container: Container,
  options: ContainerSizeOptions,
): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const SizeRw = await ownSize(container, options);
  const layers = await Promise.all(container.config.layers.map((id) => options.layers.size(id)));
  return { SizeRw, SizeRootFs: layers.reduce((sum, size) => sum + size, SizeRw) };
}

async function ownSize(
  container: Container,
  { kernel, store, sizes }: ContainerSizeOptions,
): Promise<number> {
  const folder = store.folder(container.id);
  const image = diskImage(folder);
  if (!container.config.host.DiskSize) return sizes.of(join(folder, 'upper'));
  const measure = async () => {
    // A start that failed made none, and a commit takes it away.
    if (!existsSync(image)) return 0;
    const disk = await kernel.openDisk(image);
    try {
      return await sizes.of(DISK_UPPER, disk.root);
    } finally {
      disk.close();
    }
  };
  while (container.busy) await container.idle();
  // A start meanwhile would make a second device of the file.
  return container.running ? measure() : container.exclusively('being measured', measure);
}
