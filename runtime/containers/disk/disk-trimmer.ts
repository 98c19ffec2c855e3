import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Container } from '../container.ts';
import type { Kernel } from '../kernel.ts';
import { diskImage } from './disk-folders.ts';

const EVERY_MILLISECONDS = 10 * 60_000;
/** Bytes of the host's that a disk takes: one that takes less is left alone. */
const WORTH_IT = 64 * 1024 ** 2;
/** What stat(2) counts in. */
const BLOCK = 512;

export interface DiskTrimmerOptions {
  kernel: Pick<Kernel, 'trimDisk'>;
  containers: () => Container[];
  /** A container's own. */
  folder: (id: string) => string;
}

/**
 * What an app has removed from its disk goes back to the host now and then: the file that is the disk keeps all room that was ever used, until
 * its file system says what it does not need (fstrim(8)). At once (the mount option `discard`) would make each removal of a file slower.
 */
export class DiskTrimmer {
  readonly #options: DiskTrimmerOptions;
  readonly #end = new AbortController();

  constructor(options: DiskTrimmerOptions) {
    this.#options = options;
  }

  /** Does so from now on. */
  open(): void {
    this.#keepTrimming().catch((error) => {
      if (!this.#end.signal.aborted) console.error('Disks of containers are not trimmed any more:', error);
    });
  }

  close(): void {
    this.#end.abort();
  }

  /** One after the other. */
  async trim(): Promise<void> {
    for (const container of this.#options.containers()) {
      if (!container.running || !container.config.host.DiskSize) continue;
      try {
        await this.#trim(diskImage(this.#options.folder(container.id)));
      } catch (error) {
        const isOver = !container.running || this.#end.signal.aborted;
        if (!isOver) console.error(`Could not trim the disk of container ${container.id}:`, error);
      }
    }
  }

  async #keepTrimming(): Promise<void> {
    for (;;) {
      await sleep(EVERY_MILLISECONDS, undefined, { signal: this.#end.signal, ref: false });
      await this.trim();
    }
  }

  async #trim(image: string): Promise<void> {
    const { blocks } = await stat(image);
    if (blocks * BLOCK >= WORTH_IT) await this.#options.kernel.trimDisk(image);
  }
}
