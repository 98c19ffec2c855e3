import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeFile } from '../durable-file.ts';
import { Journal } from '../journal.ts';
import { spreadFolders } from '../syscall/files.ts';
import type { Trash } from '../trash.ts';
import type { ContainerConfig } from './container-config.ts';
import type { Health } from './health.ts';
import { ReadyFolders } from './ready-folders.ts';
import type { ContainerState } from './state.ts';

export interface StoredContainer {
  config: ContainerConfig;
  state: ContainerState;
  health?: Health | undefined;
}

/** A container was made, changed or removed. */
type Entry = { id: string } & (
  | { config: ContainerConfig }
  | { state: ContainerState }
  | { health: Health }
  | { removed: true }
);

/**
 * What stands on disk of each container: its config and state among the records, and a folder `<id>`: `exit` (written by its init), `log`,
 * `log.1`, `log.2` in passing, `upper` and `work` (overlay's), or `disk.ext4` in their place and `disk`, where it is mounted.
 *
 * Nobody waits until a record is on the disk: that would cost each start more than all the rest. A power cut ends every
 * container, so that no state outlives it that is not found out anew, and a container made in the last half a second before may be missing
 * afterwards; what makes containers keeps its own durable record of which there should be.
 */
export class ContainerStore {
  readonly #folder: string;
  readonly #trash: Trash;
  readonly #known = new Map<string, StoredContainer>();
  readonly #journal: Journal<Entry>;
  readonly #ready: ReadyFolders;

  constructor(paths: { containers: string; records: string; output: string }, trash: Trash) {
    this.#folder = paths.containers;
    this.#trash = trash;
    this.#ready = new ReadyFolders({ folder: paths.containers, output: paths.output }, trash);
    this.#journal = new Journal(paths.records, { snapshot: () => this.#entries() });
  }

  /** All containers; folders without one are discarded. */
  open(): StoredContainer[] {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    spreadFolders(this.#folder);
    for (const entry of this.#journal.read()) this.#apply(entry);
    for (const id of readdirSync(this.#folder)) {
      const known = this.#known.get(id) ?? this.#readOldFiles(id);
      if (known) this.#known.set(id, known);
      else this.#trash.tidy(this.folder(id));
    }
    for (const id of this.#known.keys()) mkdirSync(this.folder(id), { recursive: true, mode: 0o700 });
    this.#journal.begin();
    this.#ready.open();
    return [...this.#known.values()].map(({ config, state, health }) => ({
      ...{ config, state },
      ...(health && { health }),
    }));
  }

  /** Resolves when everything is on the disk. */
  async close(): Promise<void> {
    await this.#ready.close();
    await this.#journal.close();
  }

  folder(id: string): string {
    return `${this.#folder}/${id}`;
  }

  /** The id of the next container. */
  nextId(): string {
    return this.#ready.nextId();
  }

  /** Makes the container's folder and its record. */
  create({ config, state }: StoredContainer): void {
    const { id } = config;
    this.#ready.take(id);
    try {
      this.#journal.add({ id, config });
    } catch (error) {
      this.#trash.discard(this.folder(id));
      throw error;
    }
    this.#known.set(id, { config, state });
  }

  saveConfig(config: ContainerConfig): void {
    this.#add({ id: config.id, config });
  }

  saveState(id: string, state: ContainerState): void {
    this.#add({ id, state });
  }

  /** What its health check found. */
  saveHealth(id: string, health: Health): void {
    this.#add({ id, health });
  }

  /** Nothing is left of the last start but, unless `fresh`, what was written in the container. */
  prepareStart(id: string, options: { fresh: boolean }): void {
    if (this.#known.get(id)?.state.status === 'created') return;
    const folder = this.folder(id);
    if (options.fresh) this.#trash.discard(join(folder, 'upper'));
    this.#trash.discard(join(folder, 'work'));
    removeFile(join(folder, 'exit'));
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
    this.#ready.postpone();
    this.#add({ id, removed: true });
    this.#trash.remove(this.folder(id));
    this.#ready.removeOutput(id);
  }

  /** What cannot be recorded has not happened. The journal may ask for all entries, this one among them. */
  #add(entry: Entry): void {
    const before = this.#known.get(entry.id);
    if (before) this.#known.set(entry.id, { ...before });
    this.#apply(entry);
    try {
      this.#journal.add(entry);
    } catch (error) {
      if (before) this.#known.set(entry.id, before);
      throw error;
    }
  }

  #apply(entry: Entry): void {
    const known = this.#known.get(entry.id);
    if ('removed' in entry) this.#known.delete(entry.id);
    else if ('config' in entry)
      this.#known.set(entry.id, { state: { status: 'created' }, ...known, config: entry.config });
    else if (!known) return;
    else if ('state' in entry) known.state = entry.state;
    else known.health = entry.health;
  }

  *#entries(): Iterable<Entry> {
    for (const [id, { config, state, health }] of this.#known) {
      yield { id, config };
      if (state.status !== 'created') yield { id, state };
      if (health) yield { id, health };
    }
  }

  /** Up to version 0.1 each container had files of its own. */
  #readOldFiles(id: string): StoredContainer | undefined {
    try {
      const [config, state] = ['config.json', 'state.json'].map((name) =>
        JSON.parse(readFileSync(join(this.folder(id), name), 'utf8')),
      );
      return { config, state };
    } catch {
      return undefined;
    }
  }
}
