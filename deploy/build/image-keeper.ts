import type { Engine, ImageSummary } from '../engine.ts';
import { STEP_REPOSITORY } from './image-builder.ts';

/** A step that no release stands on stays for so long: the next push of a build that failed half-way needs it. */
const STEP_AGE_MS = 60 * 60 * 1000;
/** After a release: there may be more. */
const SOON_MS = 30_000;
const NOW_AND_THEN_MS = 60 * 60 * 1000;

export interface ImageKeeperOptions {
  engine: Engine;
  /** The images that a release may still need. */
  wanted: () => Set<string>;
  isBuilding: () => boolean;
  log: (text: string) => void;
}

/** Removes images and built steps that nothing needs any more, so that pushes do not fill the disk. */
export class ImageKeeper {
  #options: ImageKeeperOptions;
  #soon: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(options: ImageKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.sweep(), NOW_AND_THEN_MS).unref();
    this.sweepSoon();
  }

  sweepSoon(): void {
    this.#soon ??= setTimeout(() => void this.sweep(), SOON_MS).unref();
  }

  /** Resolves when nothing is being removed: a build that begins then finds what it finds. */
  settled(): Promise<void> {
    return this.#sweeping;
  }

  sweep(now = Date.now()): Promise<void> {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#sweeping = this.#sweeping
      .then(() => this.#sweep(now))
      .catch((error) => this.#options.log(`removing old images: ${(error as Error).message}`));
    return this.#sweeping;
  }

  close(): void {
    clearTimeout(this.#soon);
    clearInterval(this.#timer);
  }

  async #sweep(now: number): Promise<void> {
    const { engine, wanted, isBuilding } = this.#options;
    if (isBuilding()) return this.sweepSoon();
    const unneeded = unneededImages(await engine.listImages(), wanted(), now - STEP_AGE_MS);
    for (const image of unneeded) {
      if (isBuilding()) return this.sweepSoon();
      for (const tag of image.tags) await engine.removeImage(tag);
    }
  }
}

/**
 * Of the images that our builds made, those that are neither wanted, nor what a wanted one stands on, nor younger than `before`
 * (milliseconds since the epoch); newest first, so that what stands on another goes before it. Pure.
 */
export function unneededImages(images: ImageSummary[], wanted: Set<string>, before: number): ImageSummary[] {
  const byId = new Map(images.map((image) => [image.id, image]));
  const needed = new Set<string>();
  for (let id of wanted) {
    while (id !== '' && !needed.has(id)) {
      needed.add(id);
      id = byId.get(id)?.parent ?? '';
    }
  }
  return images
    .filter(
      ({ id, tags, createdAt }) =>
        !needed.has(id) &&
        createdAt < before &&
        tags.length > 0 &&
        tags.every((tag) => tag.startsWith(`${STEP_REPOSITORY}:`)),
    )
    .sort((a, b) => b.createdAt - a.createdAt);
}
