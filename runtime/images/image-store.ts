import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeFile, replaceFileAfter, replaceFileDurably, syncFolder } from '../durable-file.ts';
import { EngineError } from '../engine-error.ts';
import type { Image } from './image.ts';
import { normalizeReference } from './reference.ts';

/** The images: in memory, and one file each that is on the disk before anybody hears of it. */
export class ImageStore {
  readonly #folder: string;
  readonly #images = new Map<string, Image>();
  /** Not listed, as a layer is missing; what is there of them is kept, should it come back. */
  readonly #incomplete: Image[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads what is there; an image one of whose layers `hasLayer` denies is not listed. */
  open(hasLayer: (id: string) => boolean): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#folder)) {
      const path = join(this.#folder, name);
      const image = name.endsWith('.json') ? readImage(path) : undefined;
      if (!image) removeIfPossible(path);
      else if (image.layers.every(hasLayer)) this.#images.set(image.id, image);
      else this.#incomplete.push(image);
    }
    for (const { id } of this.#incomplete) console.error(`Image ${id} lacks a layer and is not listed.`);
  }

  /** The ids of all layers that an image has. */
  layers(): string[] {
    return [...this.#images.values(), ...this.#incomplete].flatMap((image) => image.layers);
  }

  /** Newest first. */
  list(): Image[] {
    return [...this.#images.values()].sort((a, b) => (a.created < b.created ? 1 : -1));
  }

  /** By its whole id. */
  get(id: string): Image | undefined {
    return this.#images.get(id);
  }

  /** By `sha256:…`, a prefix of the id, or reference. Throws `not_found`. */
  find(name: string): Image {
    const image = this.known(name);
    if (!image) throw new EngineError('not_found', `No such image: ${name}`);
    return image;
  }

  /** The same; undefined: there is none. */
  known(name: string): Image | undefined {
    return this.#byReference(name) ?? this.#byId(name);
  }

  /** Adds an image, with this reference if one is given (taken from whatever image had it). */
  add(image: Image, reference: string | undefined): void {
    const known = this.#images.get(image.id);
    const tags = { ...known?.tags, ...(reference ? { [normalizeReference(reference)]: Date.now() } : {}) };
    this.#save({ ...image, tags });
    if (reference) this.#takeFromOthers(normalizeReference(reference), image.id);
  }

  /** Adds a new image whose layer is not on the disk yet: `sync` brings layer and record there, and then it is listed. */
  async addNew(
    image: Image,
    options: { reference: string | undefined; sync: () => Promise<void> },
  ): Promise<void> {
    const { reference, sync } = options;
    const tagged = { ...image, tags: reference ? { [normalizeReference(reference)]: Date.now() } : {} };
    await replaceFileAfter(this.#path(image.id), JSON.stringify(tagged), sync);
    this.#images.set(image.id, tagged);
    if (reference) this.#takeFromOthers(normalizeReference(reference), image.id);
  }

  /** Takes one reference away; the image stays. */
  untag(reference: string): void {
    const image = this.find(reference);
    const { [normalizeReference(reference)]: _, ...tags } = image.tags;
    this.#save({ ...image, tags });
  }

  remove(id: string): void {
    removeFile(this.#path(id));
    syncFolder(this.#folder);
    this.#images.delete(id);
  }

  #byReference(name: string): Image | undefined {
    let reference: string;
    try {
      reference = normalizeReference(name);
    } catch {
      return undefined;
    }
    const claims = [...this.#images.values()].filter((image) => image.tags[reference] !== undefined);
    return claims.sort((a, b) => b.tags[reference]! - a.tags[reference]!)[0];
  }

  #byId(name: string): Image | undefined {
    const prefix = name.replace(/^sha256:/, '');
    if (!/^[0-9a-f]{1,64}$/.test(prefix)) return undefined;
    if (prefix.length === 64) return this.#images.get(prefix);
    const matches = [...this.#images.values()].filter((image) => image.id.startsWith(prefix));
    return matches.length === 1 ? matches[0] : undefined;
  }

  #takeFromOthers(reference: string, keeper: string): void {
    for (const image of this.#images.values()) {
      if (image.id === keeper || image.tags[reference] === undefined) continue;
      const { [reference]: _, ...tags } = image.tags;
      this.#save({ ...image, tags });
    }
  }

  #save(image: Image): void {
    replaceFileDurably(this.#path(image.id), JSON.stringify(image));
    this.#images.set(image.id, image);
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}

/** What is left of a record that was being written does no harm. */
function removeIfPossible(path: string): void {
  try {
    removeFile(path);
  } catch (error) {
    console.error(`Could not remove "${path}":`, error);
  }
}

/** Undefined for one that a power cut tore. Throws what the disk says: an image must not go because its record cannot be read today. */
function readImage(path: string): Image | undefined {
  const text = readFileSync(path, 'utf8');
  try {
    return JSON.parse(text) as Image;
  } catch (error) {
    console.error(`Could not read the image record "${path}", it is removed: ${(error as Error).message}`);
    return undefined;
  }
}
