import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import type { Writable } from 'node:stream';
import type { FileWorker } from '../files/file-worker.ts';
import type { Packed } from '../files/job.ts';
import type { TarEntry } from '../files/tar-format.ts';
import { tarEnd, tarHeader, tarPadding } from '../files/tar-writer.ts';
import type { Image } from './image.ts';
import type { LayerStore } from './layer-store.ts';
import { ociConfigOf } from './oci-config.ts';
import { repositoryOf } from './reference.ts';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';

export interface Saved {
  image: Image;
  /** Under which names it is to be known. */
  names: string[];
}

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

/** Writes images as an archive that is both the OCI's layout and Docker's own, as `docker save` does since version 25. */
export class ImageSaver {
  readonly #layers: LayerStore;
  readonly #worker: FileWorker;

  constructor(layers: LayerStore, worker: FileWorker) {
    this.#layers = layers;
    this.#worker = worker;
  }

  /** What is saved stays until it is, also if somebody removes an image meanwhile. */
  async save(images: Saved[], options: { output: Writable; signal: AbortSignal }): Promise<void> {
    const held = images.flatMap(({ image }) => image.layers);
    for (const layer of held) this.#layers.hold(layer);
    try {
      await this.#write(images, options);
    } finally {
      for (const layer of held) this.#layers.release(layer);
    }
  }

  /** Of an image's layers as tars, bottom first; reads those through whose digest is not known yet (a second for 100 MB), and remembers it. */
  async digests(image: Image, signal: AbortSignal): Promise<string[]> {
    for (const layer of image.layers) this.#layers.hold(layer);
    try {
      const digests: string[] = [];
      for (const id of image.layers)
        digests.push(this.#layers.digest(id) ?? (await this.#measure(id, signal)).digest);
      return digests;
    } finally {
      for (const layer of image.layers) this.#layers.release(layer);
    }
  }

  async #write(images: Saved[], options: { output: Writable; signal: AbortSignal }): Promise<void> {
    const archive = new ArchiveWriter(options.output, options.signal);
    const index: (Descriptor & { annotations?: Record<string, string> })[] = [];
    const manifests: object[] = [];
    for (const { image, names } of images) {
      const layers = await this.#saveLayers(image, archive, options.signal);
      const digests = layers.map(({ digest }) => digest);
      const config = await archive.document(CONFIG_TYPE, ociConfigOf(image, digests));
      const manifest = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers };
      const descriptor = await archive.document(MANIFEST_TYPE, JSON.stringify(manifest));
      index.push(...(names.length > 0 ? names.map((name) => named(descriptor, name)) : [descriptor]));
      manifests.push({ Config: blob(config), RepoTags: names, Layers: layers.map(blob) });
    }
    const layout = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: index };
    await archive.file('index.json', JSON.stringify(layout));
    await archive.file('manifest.json', JSON.stringify(manifests));
    await archive.file('oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    await archive.write(tarEnd());
  }

  async #saveLayers(image: Image, archive: ArchiveWriter, signal: AbortSignal): Promise<Descriptor[]> {
    const saved: Descriptor[] = [];
    for (const id of image.layers) {
      const { digest, size } = await this.#measure(id, signal);
      saved.push({ mediaType: LAYER_TYPE, digest, size });
      await archive.blob(digest, size, (output) => this.#pack(id, { output, signal }));
    }
    return saved;
  }

  /** A tar's size stands before it, and its digest names it: both are found out by making it once, and remembered. */
  async #measure(id: string, signal: AbortSignal): Promise<Packed> {
    const known = this.#layers.packed(id);
    if (known) return known;
    const packed = await this.#pack(id, { signal });
    this.#layers.rememberPacked(id, packed);
    return packed;
  }

  async #pack(id: string, io: { output?: Writable; signal: AbortSignal }): Promise<Packed> {
    const root = openSync(`${this.#layers.path(id)}/`, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return await this.#worker.pack({ layer: true, path: '', follow: true, as: '' }, { root, ...io });
    } finally {
      closeSync(root);
    }
  }
}

/** A tar of files that come one after another. */
class ArchiveWriter {
  readonly #output: Writable;
  readonly #signal: AbortSignal;
  readonly #written = new Set<string>();

  constructor(output: Writable, signal: AbortSignal) {
    this.#output = output;
    this.#signal = signal;
  }

  async write(bytes: Buffer): Promise<void> {
    this.#signal.throwIfAborted();
    if (!this.#output.write(bytes)) await once(this.#output, 'drain', { signal: this.#signal });
  }

  async file(name: string, content: string): Promise<void> {
    const bytes = Buffer.from(content);
    await this.write(tarHeader({ ...FILE, name, size: bytes.length }));
    await this.write(bytes);
    await this.write(tarPadding(bytes.length));
  }

  async document(mediaType: string, content: string): Promise<Descriptor> {
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    if (this.#isNew(digest)) await this.file(blob({ digest }), content);
    return { mediaType, digest, size: Buffer.byteLength(content) };
  }

  /** `pack` has to write what was measured before. */
  async blob(digest: string, size: number, pack: (output: Writable) => Promise<Packed>): Promise<void> {
    if (!this.#isNew(digest)) return;
    await this.write(tarHeader({ ...FILE, name: blob({ digest }), size }));
    const packed = await pack(this.#output);
    if (packed.digest !== digest) throw new Error(`A layer was ${digest}, and is ${packed.digest} now.`);
    await this.write(tarPadding(size));
  }

  #isNew(digest: string): boolean {
    if (this.#written.has(digest)) return false;
    this.#written.add(digest);
    return true;
  }
}

const FILE: TarEntry = {
  ...{ name: '', type: 'file', mode: 0o444, uid: 0, gid: 0, size: 0, mtime: 0, linkName: '', attributes: {} },
};

function named(descriptor: Descriptor, name: string) {
  const annotations = {
    'io.containerd.image.name': fullName(name),
    'org.opencontainers.image.ref.name': name.slice(repositoryOf(name).length + 1),
  };
  return { ...descriptor, annotations };
}

/** containerd knows no short names: `app:v1` is `docker.io/library/app:v1`. */
function fullName(name: string): string {
  const [first = '', ...rest] = name.split('/');
  if (rest.length === 0) return `docker.io/library/${name}`;
  return /[.:]|^localhost$/.test(first) ? name : `docker.io/${name}`;
}

function blob({ digest }: Pick<Descriptor, 'digest'>): string {
  return `blobs/${digest.replace(':', '/')}`;
}
