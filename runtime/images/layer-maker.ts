import { closeSync, constants, openSync, statfsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { EngineError } from '../engine-error.ts';
import type { FileWorker } from '../files/file-worker.ts';
import { markOpaque } from '../syscall/folder.ts';
import type { LayerStore } from './layer-store.ts';

const MAX_MEMBERS = 1_000_000;
const MAX_BYTES = 32 * 1024 ** 3;
/** Of what is free, the rest stays for others. */
const SHARE = 0.8;
/** So many folders are marked before others get their turn. */
const BATCH = 200;

/** Where from a layer comes: a tar, or the descriptor of one. */
export type LayerSource = Readable | number;

/** Makes layers of tars in the OCI's format (image-spec, layer.md). */
export class LayerMaker {
  readonly #layers: LayerStore;
  readonly #worker: FileWorker;

  constructor(layers: LayerStore, worker: FileWorker) {
    this.#layers = layers;
    this.#worker = worker;
  }

  /**
   * Returns the layer's id and digest; it is held (LayerStore.hold). What is there already, by its content, is not kept twice.
   * Throws `invalid` for what is no such tar, or must not be unpacked.
   */
  async make(source: LayerSource, signal: AbortSignal): Promise<{ id: string; digest: string }> {
    const { id, folder } = this.#layers.begin();
    const root = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const job = { layer: true, path: '', budget: budgetFor(folder) };
      const unpacked = await this.#worker.unpack(job, { root, input: source, signal });
      const known = this.#layers.findByDigest(unpacked.digest);
      if (known !== undefined) {
        this.#layers.hold(known);
        this.#layers.abandon(id);
        return { id: known, digest: unpacked.digest };
      }
      await markAll(root, unpacked.opaque);
      this.#layers.finish(id, unpacked);
      return { id, digest: unpacked.digest };
    } catch (error) {
      this.#layers.abandon(id);
      throw error;
    } finally {
      closeSync(root);
    }
  }

  /** As `make`, of a file that is said to have this digest: if there is such a layer, the file is only compared with it. */
  async makeOfFile(
    source: { root: number; file: number; digest: string },
    signal: AbortSignal,
  ): Promise<{ id: string; digest: string }> {
    const known = this.#layers.findByDigest(source.digest);
    if (known === undefined) return this.make(source.file, signal);
    this.#layers.hold(known);
    try {
      const digest = await this.#worker.digest({ root: source.root, input: source.file, signal });
      if (digest === source.digest) return { id: known, digest };
      throw new EngineError(
        'invalid',
        `A layer is ${digest}, not ${source.digest} as the image’s config says.`,
      );
    } catch (error) {
      this.#layers.release(known);
      throw error;
    }
  }
}

/** How much may be unpacked into a folder. */
export function budgetFor(folder: string): { bytes: number; members: number } {
  const { bavail, bsize } = statfsSync(folder);
  return { bytes: Math.min(MAX_BYTES, Math.floor(bavail * bsize * SHARE)), members: MAX_MEMBERS };
}

async function markAll(root: number, paths: string[]): Promise<void> {
  for (let at = 0; at < paths.length; at += BATCH) {
    for (const path of paths.slice(at, at + BATCH)) markOpaque(root, path);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
