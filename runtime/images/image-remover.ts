import type { Image } from './image.ts';
import { abandonedParents, type ImageUser, planRemoval } from './image-removal.ts';
import type { ImageStore } from './image-store.ts';
import type { LayerStore } from './layer-store.ts';

export interface ImageRemoverOptions {
  images: ImageStore;
  layers: LayerStore;
  usersOf: (image: Image) => ImageUser[];
  /** Discards those of these layers that nobody has any more. */
  removeUnusedLayers: (layers: string[]) => void;
  publish: (image: Image, action: string, name: string) => void;
}

/** One line of what was removed, spelt as the Engine API does. */
export type Removed = { Untagged: string } | { Deleted: string };

/** Takes images and their names away. */
export class ImageRemover {
  readonly #options: ImageRemoverOptions;

  constructor(options: ImageRemoverOptions) {
    this.#options = options;
  }

  /** `parents`: also those above it that were only there for it. Throws `not_found`, `conflict`. */
  remove(name: string, options: { force: boolean; parents: boolean }): Removed[] {
    const { images, usersOf } = this.#options;
    const image = images.find(name);
    const { untag, remove } = planRemoval({ image, name, users: usersOf(image), force: options.force });
    const above = options.parents ? this.#abandonedParents(image) : [];
    if (!remove) return untag.map((tag) => this.#untag(image, tag));
    return [
      ...untag.map((tag) => ({ Untagged: tag })),
      ...this.#delete(image),
      ...above.flatMap((parent) => this.#delete(parent)),
    ];
  }

  /** Removes those of the images that nobody uses, and whose removal leaves no image without its parent. Bytes: what layers took. */
  async prune(unused: Image[]): Promise<{ removed: Removed[]; bytes: number }> {
    const { images, layers } = this.#options;
    const candidates = unused.filter((image) => this.#options.usersOf(image).length === 0);
    const sizes = new Map<string, number>();
    for (const layer of candidates.flatMap((image) => image.layers)) {
      if (!sizes.has(layer)) sizes.set(layer, await layers.size(layer));
    }
    const removed = childrenFirst(candidates).flatMap((image) => {
      const used = this.#options.usersOf(image).length > 0 || this.#hasChild(image);
      if (used) return [];
      return [...Object.keys(image.tags).map((tag) => ({ Untagged: tag })), ...this.#delete(image)];
    });
    const kept = new Set(images.layers());
    const bytes = [...sizes].reduce((sum, [layer, size]) => sum + (kept.has(layer) ? 0 : size), 0);
    return { removed, bytes };
  }

  #untag(image: Image, tag: string): Removed {
    this.#options.images.untag(tag);
    this.#options.publish(image, 'untag', tag);
    return { Untagged: tag };
  }

  #delete(image: Image): Removed[] {
    const { images, removeUnusedLayers, publish } = this.#options;
    for (const tag of Object.keys(image.tags)) publish(image, 'untag', tag);
    images.remove(image.id);
    removeUnusedLayers(image.layers);
    publish(image, 'delete', `sha256:${image.id}`);
    return [{ Deleted: `sha256:${image.id}` }];
  }

  #hasChild(image: Image): boolean {
    return this.#options.images.list().some(({ parent }) => parent === image.id);
  }

  #abandonedParents(image: Image): Image[] {
    const isUsed = (parent: Image) => this.#options.usersOf(parent).length > 0;
    return abandonedParents(image, { images: this.#options.images.list(), isUsed });
  }
}

/** A child has all its parent's layers and at least as many. */
function childrenFirst(images: Image[]): Image[] {
  return [...images].sort((a, b) => b.layers.length - a.layers.length);
}
