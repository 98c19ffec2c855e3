import { chownSync, closeSync, constants, openSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import type { RootView } from '../containers/kernel.ts';
import type { FileWorker } from '../files/file-worker.ts';
import { bytesOf, pathFacts } from '../files/path-facts.ts';
import { budgetFor } from '../images/layer-maker.ts';
import { mayBeBelow } from '../syscall/folder.ts';
import type { Volume, VolumeStore } from './volume-store.ts';

/** Where a volume's first files come from. */
export interface VolumeSource {
  /** Layer folders of the image, topmost first. */
  layers: string[];
  /** Where the volume is mounted. */
  target: string;
  /** Whose it is where the image has nothing there. */
  owner: { uid: number; gid: number };
}

/** Brings the image's files into volumes at their first use, as Docker does: content, owners and modes. */
export class VolumeFiller {
  readonly #volumes: VolumeStore;
  readonly #worker: FileWorker;
  readonly #openView: (layers: string[]) => Promise<RootView>;
  readonly #filling = new Map<string, Promise<void>>();

  constructor(options: {
    volumes: VolumeStore;
    worker: FileWorker;
    /** Mounts layers read-only. */
    openView: (layers: string[]) => Promise<RootView>;
  }) {
    this.#volumes = options.volumes;
    this.#worker = options.worker;
    this.#openView = options.openView;
  }

  /** Containers that begin at the same time wait for one another. */
  async fill(volume: Volume, source: VolumeSource): Promise<void> {
    const before = this.#filling.get(volume.name);
    if (before) return before;
    const filling = this.#fill(volume, source).finally(() => this.#filling.delete(volume.name));
    this.#filling.set(volume.name, filling);
    return filling;
  }

  async #fill(volume: Volume, source: VolumeSource): Promise<void> {
    // Most images have nothing where a volume comes: a look into their layers tells that without a mount.
    const filled = source.layers.some((layer) => mayBeBelow(layer, bytesOf(source.target)))
      ? await this.#copy(source)
      : undefined;
    if (!filled && process.getuid?.() === 0) {
      chownSync(this.#volumes.path(volume.name), source.owner.uid, source.owner.gid);
    }
    this.#volumes.settle(volume, filled);
  }

  /** Returns the folder of the copy; undefined: the image has no folder there. */
  async #copy({ layers, target }: VolumeSource): Promise<string | undefined> {
    const view = await this.#openView(layers);
    try {
      const facts = pathFacts(view.folder, `${target}/.`);
      if (!facts) return undefined;
      const folder = this.#volumes.begin();
      await this.#transfer(view.folder, { path: bytesOf(facts.path), folder });
      return folder;
    } finally {
      view.close();
    }
  }

  async #transfer(from: number, to: { path: string; folder: string }): Promise<void> {
    const root = openSync(to.folder, constants.O_RDONLY | constants.O_DIRECTORY);
    const archive = new PassThrough();
    try {
      const pack = { layer: false, path: to.path, follow: true, as: '.' };
      const unpack = { layer: false, path: '', describeRoot: true, budget: budgetFor(to.folder) };
      await Promise.all([
        this.#worker.pack(pack, { root: from, output: archive }).finally(() => archive.end()),
        this.#worker.unpack(unpack, { root, input: archive }),
      ]);
    } finally {
      closeSync(root);
    }
  }
}
