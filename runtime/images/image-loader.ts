import { randomBytes } from 'node:crypto';
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { EngineError } from '../engine-error.ts';
import type { FileWorker } from '../files/file-worker.ts';
import type { Trash } from '../trash.ts';
import { createImage, type Image, type ImageConfig } from './image.ts';
import { type ArchivedImage, ImageArchive } from './image-archive.ts';
import type { ImageStore } from './image-store.ts';
import { budgetFor, type LayerMaker } from './layer-maker.ts';
import { type LayerStore, MAX_LAYERS } from './layer-store.ts';
import { parseOciConfig } from './oci-config.ts';
import { normalizeReference } from './reference.ts';

export interface ImageLoaderOptions {
  images: ImageStore;
  layers: LayerStore;
  maker: LayerMaker;
  worker: FileWorker;
  trash: Trash;
  /** Folder for what is being unpacked; what an earlier process left there is discarded. */
  incoming: string;
  syncFileSystem: (fd: number) => Promise<void>;
}

export type Origin = NonNullable<Image['origin']>;

/** Brings images in from outside. Each is listed only once all of it is on the disk. */
export class ImageLoader {
  readonly #options: ImageLoaderOptions;

  constructor(options: ImageLoaderOptions) {
    this.#options = options;
    options.trash.tidy(options.incoming);
    mkdirSync(options.incoming, { recursive: true, mode: 0o700 });
  }

  /** What `docker save` and its like wrote. Throws `invalid`, before any image of it is listed; `unavailable` when there is no room. */
  async load(archive: Readable, options: { origin: Origin; signal: AbortSignal }): Promise<Loaded[]> {
    const { worker, incoming, trash } = this.#options;
    const folder = join(incoming, randomBytes(8).toString('hex'));
    mkdirSync(folder, { mode: 0o700 });
    const root = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    const held: string[] = [];
    try {
      const job = { layer: false, path: '', budget: budgetFor(folder) };
      await worker.unpack(job, { root, input: archive, signal: options.signal });
      const files = new ImageArchive(root);
      const loaded: Loaded[] = [];
      for (const found of files.images()) loaded.push(await this.#make(files, found, { ...options, held }));
      for (const { image, names } of loaded) await this.#add(image, names);
      return loaded;
    } finally {
      for (const layer of held) this.#options.layers.release(layer);
      closeSync(root);
      trash.discard(folder);
    }
  }

  /** A file system as a tar becomes an image of one layer. */
  async import(
    archive: Readable,
    options: {
      reference: string | undefined;
      config: ImageConfig;
      comment: string;
      origin: Origin;
      signal: AbortSignal;
    },
  ): Promise<Image> {
    const { maker, layers } = this.#options;
    const { config, comment, origin } = options;
    const reference = options.reference && normalizeReference(options.reference);
    const layer = await maker.make(archive, options.signal);
    try {
      const created = new Date().toISOString();
      const history = [{ created, created_by: '', ...(comment && { comment }) }];
      const content = { layers: [layer.id], config, parent: undefined, created, comment, history, origin };
      const image = createImage(content);
      await this.#add(image, reference ? [reference] : []);
      return image;
    } finally {
      layers.release(layer.id);
    }
  }

  async #make(
    files: ImageArchive,
    found: ArchivedImage,
    options: { origin: Origin; signal: AbortSignal; held: string[] },
  ): Promise<Loaded> {
    const names = found.names.flatMap((name) => referenceOrNothing(name));
    const { image, diffIds } = parseOciConfig(files.text(found.config));
    if (found.layers.length !== diffIds.length || diffIds.length === 0 || diffIds.length > MAX_LAYERS) {
      const counts = `${found.layers.length} layers, its config ${diffIds.length}`;
      throw new EngineError('invalid', `The image has ${counts}; they must agree, from 1 to ${MAX_LAYERS}.`);
    }
    const known = this.#options.images.get(image.id);
    if (known) return { image: known, names };
    const layers: string[] = [];
    for (const [index, path] of found.layers.entries()) {
      layers.push(await this.#layer(files, { path, digest: diffIds[index]!, ...options }));
    }
    return { image: { ...image, tags: {}, layers, origin: options.origin }, names };
  }

  async #layer(
    files: ImageArchive,
    wanted: { path: string; digest: string; signal: AbortSignal; held: string[] },
  ): Promise<string> {
    const fd = files.open(wanted.path);
    try {
      const source = { root: files.root, file: fd, digest: wanted.digest };
      const made = await this.#options.maker.makeOfFile(source, wanted.signal);
      wanted.held.push(made.id);
      if (made.digest === wanted.digest) return made.id;
      throw new EngineError(
        'invalid',
        `The layer "${wanted.path}" is ${made.digest}, not ${wanted.digest} as the image’s config says.`,
      );
    } finally {
      closeSync(fd);
    }
  }

  async #add(image: Image, names: string[]): Promise<void> {
    const { images, incoming, syncFileSystem } = this.#options;
    const sync = async () => {
      const fd = openSync(incoming, 'r');
      try {
        await syncFileSystem(fd);
      } finally {
        closeSync(fd);
      }
    };
    if (!images.get(image.id)) await images.addNew(image, { reference: undefined, sync });
    for (const name of names) images.add(images.get(image.id)!, name);
  }
}

export interface Loaded {
  image: Image;
  names: string[];
}

/** A name by digest, or of a form that is not known here, is none. */
function referenceOrNothing(name: string): string[] {
  try {
    return [normalizeReference(name)];
  } catch {
    return [];
  }
}
