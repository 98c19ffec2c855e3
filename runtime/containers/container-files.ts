import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../engine-error.ts';
import type { Change } from '../files/job.ts';
import type { LayerStore } from '../images/layer-store.ts';
import type { Container } from './container.ts';
import { isVolatile } from './container-config.ts';
import type { ContainerStore } from './container-store.ts';
import { DISK_UPPER, diskImage } from './disk/disk-folders.ts';
import type { Kernel, RootView, ViewSpec } from './kernel.ts';
import type { Launcher } from './launcher.ts';
import { mountsOf } from './mount-points.ts';

export interface ContainerFilesOptions {
  kernel: Kernel;
  store: ContainerStore;
  layers: LayerStore;
  launcher: Launcher;
}

/** Looks into containers, running or not. */
export class ContainerFiles {
  readonly #options: ContainerFilesOptions;

  constructor(options: ContainerFilesOptions) {
    this.#options = options;
  }

  /** Works with the container's root folder, mounts included. Throws `conflict` if one that does not run is busy, or loses what is written. */
  async use<T>(
    container: Container,
    options: { writes: boolean; mounts?: boolean },
    work: (view: RootView) => Promise<T>,
  ): Promise<T> {
    const running = this.#options.kernel.openRoot(container.id);
    if (running) return withView(running, work);
    const shown = options.mounts === false ? [] : mountsOf(container.config);
    if (!options.writes && !this.#hasDisk(container) && shown.length === 0) {
      return withView(await this.#options.kernel.openView(this.#readOnly(container)), work);
    }
    if (options.writes && isVolatile(container.config)) {
      const name = container.id.slice(0, 12);
      throw new EngineError(
        'conflict',
        `Container ${name} starts afresh (label paas.volatile): what is copied in would be lost.`,
      );
    }
    return container.exclusively('being copied to or from', async () => {
      await container.released;
      const { rootfs, binds } = await this.#options.launcher.prepareFiles(container);
      const view = { rootfs, binds: options.mounts === false ? [] : binds };
      return withView(await this.#options.kernel.openView(view), work);
    });
  }

  /** Compares what the container has written, `upper`, with what its layers show, `below`. Throws `conflict` if one with a disk of its own is busy. */
  async changes(
    container: Container,
    compare: (upper: number, below: number) => Promise<Change[]>,
  ): Promise<Change[]> {
    if (!this.#hasDisk(container)) return this.#compare(container, { upper: this.upper(container), compare });
    const image = diskImage(this.#options.store.folder(container.id));
    if (!existsSync(image)) return [];
    // A start meanwhile would make a second device of the file.
    return container.exclusively('being compared', async () => {
      if (!container.running) await container.released;
      const disk = await this.#options.kernel.openDisk(image);
      try {
        return await this.#compare(container, { upper: folderIn(disk.folder, DISK_UPPER), compare });
      } finally {
        disk.close();
      }
    });
  }

  /** What the container has written: overlay's upper folder; undefined: nothing. Only of one that has no disk of its own. */
  upper(container: Container): string | undefined {
    return folderIn(this.#options.store.folder(container.id), 'upper');
  }

  /** Layer folders, topmost first. */
  layers(container: Container): string[] {
    return container.config.layers.map((id) => this.#options.layers.path(id)).reverse();
  }

  async #compare(
    container: Container,
    { upper, compare }: { upper: string | undefined; compare: Parameters<ContainerFiles['changes']>[1] },
  ): Promise<Change[]> {
    if (upper === undefined) return [];
    const fd = openSync(upper, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const rootfs = { lower: this.layers(container) };
      const view = await this.#options.kernel.openView({ rootfs, binds: [] });
      return await withView(view, ({ folder }) => compare(fd, folder));
    } finally {
      closeSync(fd);
    }
  }

  #hasDisk(container: Container): boolean {
    return container.config.host.DiskSize > 0;
  }

  #readOnly(container: Container): ViewSpec {
    const upper = this.upper(container);
    return {
      rootfs: { lower: [...(upper === undefined ? [] : [upper]), ...this.layers(container)] },
      binds: [],
    };
  }
}

function folderIn(parent: string, name: string): string | undefined {
  const folder = join(parent, name);
  return existsSync(folder) ? folder : undefined;
}

async function withView<T>(view: RootView, work: (view: RootView) => Promise<T>): Promise<T> {
  try {
    return await work(view);
  } finally {
    view.close();
  }
}
