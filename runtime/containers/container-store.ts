import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../durable-file.ts';
import type { Trash } from '../trash.ts';
import type { ContainerConfig } from './container-config.ts';
import type { ContainerState } from './state.ts';

export interface StoredContainer {
  config: ContainerConfig;
  state: ContainerState;
}

/**
 * What stands on disk of each container: `<id>/config.json`, `state.json`, `exit` (written by its init), `log`, `log.1`,
 * `upper` and `work` (overlay's), or `disk.ext4` in their place and `disk`, where it is mounted.
 */
export class ContainerStore {
  readonly #folder: string;
  readonly #trash: Trash;

  constructor(folder: string, trash: Trash) {
    this.#folder = folder;
    this.#trash = trash;
  }

  /** All containers; what a power cut left half made is discarded. */
  open(): StoredContainer[] {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    return readdirSync(this.#folder).flatMap((id) => this.#load(id) ?? []);
  }

  folder(id: string): string {
    return join(this.#folder, id);
  }

  /** Makes the container's folder. */
  create(container: StoredContainer): void {
    mkdirSync(this.folder(container.config.id), { mode: 0o700 });
    this.saveState(container.config.id, container.state);
    this.saveConfig(container.config);
  }

  saveConfig(config: ContainerConfig): void {
    replaceFile(join(this.folder(config.id), 'config.json'), JSON.stringify(config));
  }

  saveState(id: string, state: ContainerState): void {
    replaceFile(join(this.folder(id), 'state.json'), JSON.stringify(state));
  }

  /**
   * Folders for overlay's upper and work, `fresh` or as the last start left them; and no exit file.
   * The upper folder's mode and owner are those of the container's `/`.
   */
  prepareStart(id: string, options: { fresh: boolean }): void {
    const folder = this.folder(id);
    if (options.fresh) this.#trash.discard(join(folder, 'upper'));
    this.#trash.discard(join(folder, 'work'));
    ensureFolder(join(folder, 'upper'), 0o755);
    ensureFolder(join(folder, 'work'), 0o700);
    rmSync(join(folder, 'exit'), { force: true });
  }

  /** Takes away something in the container's folder. */
  discard(id: string, name: string): void {
    this.#trash.discard(join(this.folder(id), name));
  }

  /** The status that the container's init wrote at its end; undefined: none. */
  readExitCode(id: string): number | undefined {
    try {
      const text = readFileSync(join(this.folder(id), 'exit'), 'utf8');
      return /^\d{1,3}\n/.test(text) ? Number(text.split('\n', 1)[0]) : undefined;
    } catch {
      return undefined;
    }
  }

  remove(id: string): void {
    this.#trash.discard(this.folder(id));
  }

  #load(id: string): StoredContainer | undefined {
    try {
      const config = JSON.parse(readFileSync(join(this.folder(id), 'config.json'), 'utf8'));
      const state = JSON.parse(readFileSync(join(this.folder(id), 'state.json'), 'utf8'));
      return { config, state };
    } catch (error) {
      console.error(`Container ${id} cannot be read and is removed: ${(error as Error).message}`);
      this.#trash.discard(this.folder(id));
      return undefined;
    }
  }
}

function ensureFolder(path: string, mode: number): void {
  try {
    mkdirSync(path);
    chmodSync(path, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
