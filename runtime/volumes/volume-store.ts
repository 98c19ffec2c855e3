import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { Access } from '../containers/container-config.ts';
import type { EventLog } from '../containers/events.ts';
import { diskTrouble } from '../disk-trouble.ts';
import { removeFile, replaceFileDurably, syncFolder } from '../durable-file.ts';
import { EngineError } from '../engine-error.ts';
import type { Trash } from '../trash.ts';

/** One volume, as it stands in `volumes/<name>.json`. */
export interface Volume {
  name: string;
  /** ISO 8601. */
  created: string;
  labels: Record<string, string>;
  /** Made for one container, and removed with it if asked to. */
  anonymous: boolean;
  /** Through which socket it was made; the platform sees its own only. */
  origin: Access;
  /** No container has had it yet: the first one brings the image's files. */
  fresh: boolean;
}

export const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
/** The platform's user of apps, whose volumes most are. */
const APP_ID = 70_000;

/**
 * The volumes: a folder each in one that only root may enter, so that a set-user-id program in a volume is of no use on the host; and
 * a record each. A folder without a record, of an earlier version or restored by hand, is a volume of the platform.
 */
export class VolumeStore {
  readonly #paths: { volumes: string; records: string };
  readonly #trash: Trash;
  readonly #events: Pick<EventLog, 'publish'>;
  readonly #volumes = new Map<string, Volume>();

  constructor(
    paths: { volumes: string; records: string },
    parts: { trash: Trash; events: Pick<EventLog, 'publish'> },
  ) {
    this.#paths = paths;
    this.#trash = parts.trash;
    this.#events = parts.events;
  }

  open(): void {
    for (const folder of Object.values(this.#paths)) mkdirSync(folder, { recursive: true, mode: 0o700 });
    // The folder may be an older version's, or the administrator's.
    if ((lstatSync(this.#paths.volumes).mode & 0o777) !== 0o700) chmodSync(this.#paths.volumes, 0o700);
    for (const name of readdirSync(this.#paths.volumes)) {
      // What a killed runtime had only begun to fill.
      if (name.startsWith('.')) rmSync(join(this.#paths.volumes, name), { recursive: true, force: true });
      else if (VOLUME_NAME.test(name)) this.#volumes.set(name, this.#read(name));
    }
  }

  /** By name; only those that `access` may see. */
  list(access: Access): Volume[] {
    return [...this.#volumes.values()].filter((volume) => maySee(access, volume));
  }

  /** Throws `not_found`, also for one that `access` may not see. */
  find(name: string, access: Access): Volume {
    const volume = this.#volumes.get(name);
    if (volume && maySee(access, volume)) return volume;
    throw new EngineError('not_found', `get ${name}: no such volume`);
  }

  /** The volume of this name, made if there is none. Throws `invalid`, and `conflict` for the name of one that `access` may not see. */
  ensure(
    name: string,
    options: { access: Access; labels?: Record<string, string>; anonymous?: boolean },
  ): Volume {
    if (!VOLUME_NAME.test(name)) {
      throw new EngineError('invalid', `"${name}" is not a volume name: letters, digits, "_", "." and "-".`);
    }
    const known = this.#volumes.get(name);
    if (known && maySee(options.access, known)) return known;
    if (known) throw new EngineError('conflict', `The volume name "${name}" is taken.`);
    const isNew = this.#makeFolder(name);
    const volume: Volume = {
      name,
      created: new Date().toISOString(),
      labels: options.labels ?? {},
      anonymous: options.anonymous ?? false,
      origin: options.access,
      fresh: isNew,
    };
    this.#save(volume);
    syncFolder(this.#paths.volumes);
    this.#publish(volume, 'create');
    return volume;
  }

  /** A volume of no name that anybody gave it. */
  create(access: Access): Volume {
    return this.ensure(randomBytes(32).toString('hex'), { access, anonymous: true });
  }

  /** The folder of what is in it. */
  path(name: string): string {
    return join(this.#paths.volumes, name);
  }

  /** The volume whose folder, or whose folder to be, this is. */
  nameAt(path: string): string | undefined {
    const name = basename(path);
    return VOLUME_NAME.test(name) && path === this.path(name) ? name : undefined;
  }

  /** Throws `not_found` for a volume that is gone. The folder of volumes is root's alone, so that what is a folder there stays one. */
  requireFolder(name: string): void {
    if (lstatSync(this.path(name), { throwIfNoEntry: false })?.isDirectory()) return;
    throw new EngineError(
      'not_found',
      `The volume "${name}" is gone: there is no folder "${this.path(name)}".`,
    );
  }

  /** A folder beside the volumes, to be filled and then taken for a volume's. */
  begin(): string {
    const folder = join(this.#paths.volumes, `.${randomBytes(8).toString('hex')}`);
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  }

  /** The first container has it; `filled` takes the place of its folder, which is empty yet. */
  settle(volume: Volume, filled?: string): void {
    if (filled !== undefined) renameSync(filled, this.path(volume.name));
    this.#save({ ...volume, fresh: false });
    syncFolder(this.#paths.volumes);
  }

  remove(volume: Volume): void {
    this.#trash.discard(this.path(volume.name));
    removeFile(this.#record(volume.name));
    this.#volumes.delete(volume.name);
    this.#publish(volume, 'destroy');
  }

  #publish({ name, origin }: Volume, Action: string): void {
    this.#events.publish({ Type: 'volume', Action, id: name, origin, attributes: { driver: 'local' } });
  }

  /** False: somebody put a folder there meanwhile. */
  #makeFolder(name: string): boolean {
    const there = lstatSync(this.path(name), { throwIfNoEntry: false });
    if (there?.isDirectory()) return false;
    if (there) throw new EngineError('invalid', `The volume "${this.path(name)}" is not a folder.`);
    mkdirSync(this.path(name), { mode: 0o755 });
    if (process.getuid?.() === 0) chownSync(this.path(name), APP_ID, APP_ID);
    return true;
  }

  #save(volume: Volume): void {
    replaceFileDurably(this.#record(volume.name), JSON.stringify(volume));
    this.#volumes.set(volume.name, volume);
  }

  #read(name: string): Volume {
    try {
      return JSON.parse(readFileSync(this.#record(name), 'utf8')) as Volume;
    } catch (error) {
      // Whose volume it is must not be guessed because the disk does not say it today.
      if (diskTrouble(error)) throw error;
      const created = lstatSync(this.path(name)).birthtime.toISOString();
      return { name, created, labels: {}, anonymous: false, origin: 'platform', fresh: false };
    }
  }

  #record(name: string): string {
    return join(this.#paths.records, `${basename(name)}.json`);
  }
}

function maySee(access: Access, volume: Volume): boolean {
  return access === 'root' || volume.origin === 'platform';
}
