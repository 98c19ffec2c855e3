import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { EngineError } from '../engine-error.ts';
import type { FileWorker } from '../files/file-worker.ts';
import {
  createImage,
  type HistoryEntry,
  historyOf,
  type Image,
  type ImageConfig,
  mergeConfig,
  withoutUndefined,
} from '../images/image.ts';
import type { ImageStore } from '../images/image-store.ts';
import type { LayerMaker } from '../images/layer-maker.ts';
import { type LayerStore, MAX_LAYERS } from '../images/layer-store.ts';
import { normalizeReference } from '../images/reference.ts';
import type { Container } from './container.ts';
import { type Access, isVolatile } from './container-config.ts';
import type { ContainerStore } from './container-store.ts';
import type { Descriptors } from './descriptors.ts';
import { copyFolder } from './disk/copy-folder.ts';
import { DISK_UPPER, diskImage } from './disk/disk-folders.ts';
import { DiskImages } from './disk/disk-image.ts';
import type { Kernel } from './kernel.ts';

export interface CommitOptions {
  /** With tag; undefined: the image has none. */
  reference: string | undefined;
  /** What the image's config is, given the container's. */
  config: (own: ImageConfig) => ImageConfig;
  author: string;
  comment: string;
  origin: Access;
  /** Whether one that runs stands still meanwhile. */
  pause: boolean;
}

export interface CommitterOptions {
  store: ContainerStore;
  layers: LayerStore;
  images: ImageStore;
  descriptors: Pick<Descriptors, 'syncFileSystem' | 'dataRanges'>;
  kernel: Pick<Kernel, 'openDisk'>;
  maker: LayerMaker;
  worker: FileWorker;
}

/** Makes images of containers. */
export class Committer {
  readonly #options: CommitterOptions;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /**
   * What the container has written becomes a layer (a rename), which from then on is one of its own lower layers: it can
   * be started again and goes on from there; of one that runs it is copied. The image is listed only once all of it is on the disk.
   * Throws `conflict` for a container that is volatile, has too many layers, or lacks one.
   */
  async commit(container: Container, options: CommitOptions): Promise<Image> {
    refuseUncommittable(container);
    const reference = options.reference ? normalizeReference(options.reference) : undefined;
    if (!container.running) {
      await this.#takeLayer(container);
      return this.#list(container, { ...options, reference, layers: container.config.layers });
    }
    const layer = await this.#copyLayer(container);
    try {
      const layers = [...container.config.layers, layer];
      return await this.#list(container, { ...options, reference, layers });
    } finally {
      this.#options.layers.release(layer);
    }
  }

  async #list(container: Container, options: CommitOptions & { layers: string[] }): Promise<Image> {
    const { reference, layers } = options;
    this.#requireLayers(container, layers);
    const created = new Date().toISOString();
    const { author, comment, origin } = options;
    const said = { ...(author && { author }), ...(comment && { comment }) };
    const image = createImage({
      layers,
      config: options.config(this.#configOf(container)),
      parent: container.config.image,
      ...{ created, origin, ...said },
      history: this.#history(container, layers, { created, ...said }),
    });
    await this.#options.images.addNew(image, { reference, sync: () => this.#sync(container) });
    return image;
  }

  /** A disk that reported errors, and what repairs it, may have taken one away: an image without it could not be started. */
  #requireLayers({ id }: Container, layers: string[]): void {
    const missing = layers.find((layer) => !this.#options.layers.exists(layer));
    if (missing === undefined) return;
    throw new EngineError(
      'conflict',
      `The layer ${missing} of container ${id.slice(0, 12)} is gone from the disk, so no image can be made of it. Make the container anew.`,
    );
  }

  /** What of the image's config a container cannot change comes from the image. */
  #configOf(container: Container): ImageConfig {
    const { Env, Cmd, Entrypoint, WorkingDir, User, Labels, ExposedPorts, Healthcheck } =
      container.config.process;
    const { Volumes, StopSignal, OnBuild, Shell } =
      this.#options.images.get(container.config.image)?.config ?? {};
    const own = { Env, Cmd, Entrypoint, WorkingDir, User, Labels, ExposedPorts };
    return mergeConfig(own, withoutUndefined({ Volumes, StopSignal, Healthcheck, OnBuild, Shell }));
  }

  /** The image's, if it is still there, and an entry for each layer of the container. */
  #history(container: Container, layers: string[], entry: Omit<HistoryEntry, 'created_by'>): HistoryEntry[] {
    const { process } = container.config;
    const image = this.#options.images.get(container.config.image);
    if (!image) return [];
    const made = { ...entry, created_by: [...process.Entrypoint, ...process.Cmd].join(' ') };
    const count = layers.length - image.layers.length;
    const own = count === 0 ? [{ ...made, empty_layer: true }] : Array.from({ length: count }, () => made);
    return [...historyOf(image), ...own];
  }

  /** Returns the layer's id; it is held. */
  async #copyLayer(container: Container): Promise<string> {
    const folder = this.#options.store.folder(container.id);
    if (!container.config.host.DiskSize) return this.#pack(join(folder, 'upper'));
    const disk = await this.#options.kernel.openDisk(diskImage(folder));
    try {
      return await this.#pack(join(disk.folder, DISK_UPPER));
    } finally {
      disk.close();
    }
  }

  async #pack(upper: string): Promise<string> {
    const { maker, worker, layers } = this.#options;
    const root = openSync(upper, constants.O_RDONLY | constants.O_DIRECTORY);
    const archive = new PassThrough();
    const giveUp = new AbortController();
    try {
      const job = { layer: true, path: '', follow: true, as: '' };
      const [packed, made] = await Promise.allSettled([
        worker.pack(job, { root, output: archive }).then(
          () => archive.end(),
          (error) => {
            giveUp.abort();
            throw error;
          },
        ),
        maker.make(archive, giveUp.signal),
      ]);
      if (packed.status === 'rejected') {
        if (made.status === 'fulfilled') layers.release(made.value.id);
        throw packed.reason;
      }
      if (made.status === 'rejected') throw made.reason;
      return made.value.id;
    } finally {
      closeSync(root);
    }
  }

  async #takeLayer(container: Container): Promise<void> {
    const { store, layers } = this.#options;
    const upper = join(store.folder(container.id), 'upper');
    if (container.config.host.DiskSize > 0) await this.#copyOffDisk(container, upper);
    if (!existsSync(upper)) return;
    // It belongs to the upper folder: without that a start takes the container for one that has no files.
    store.discard(container.id, 'work');
    const layer = layers.adopt(upper);
    container.config = { ...container.config, layers: [...container.config.layers, layer] };
    store.saveConfig(container.config);
    store.discard(container.id, basename(diskImage(store.folder(container.id))));
  }

  /** Layers are folders of the host's file system: one that was written on a disk of its own has to be copied. */
  async #copyOffDisk(container: Container, upper: string): Promise<void> {
    const { store, kernel, descriptors } = this.#options;
    const image = diskImage(store.folder(container.id));
    if (!existsSync(image)) return;
    store.discard(container.id, 'upper');
    const { DiskSize } = container.config.host;
    await new DiskImages(descriptors).prepare(image, { size: DiskSize, fresh: false });
    const disk = await kernel.openDisk(image);
    try {
      await copyFolder(join(disk.folder, DISK_UPPER), upper);
    } finally {
      disk.close();
    }
  }

  async #sync(container: Container): Promise<void> {
    const fd = openSync(this.#options.store.folder(container.id), 'r');
    try {
      await this.#options.descriptors.syncFileSystem(fd);
    } finally {
      closeSync(fd);
    }
  }
}

function refuseUncommittable(container: Container): void {
  const name = container.id.slice(0, 12);
  if (container.restarting) {
    throw new EngineError('conflict', `Container ${name} is restarting: stop it before the commit.`);
  }
  if (isVolatile(container.config)) {
    throw new EngineError(
      'conflict',
      `Container ${name} is volatile (label paas.volatile): it cannot be committed.`,
    );
  }
  if (container.config.layers.length >= MAX_LAYERS) {
    throw new EngineError(
      'conflict',
      `Container ${name} has ${MAX_LAYERS} layers: start again from a smaller image.`,
    );
  }
}
