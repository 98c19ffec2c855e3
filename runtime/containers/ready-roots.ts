import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { spreadFolders } from '../syscall/files.ts';
import { type Execute, Trash } from '../trash.ts';
import type { LaunchSpec } from './kernel.ts';
import { candidates } from './plan/app-plan.ts';
import { isMapped, type ReadyRoot } from './plan/ready-root-plan.ts';
import type { UserNamespace } from './user-namespace.ts';

/**
 * Root file systems for sandboxes: of the image of the last container that could have had one, since many containers that start at once are mostly of one image.
 * To mount one takes a fifth of what a container's first process does. A container can have it if it has written nothing so far, and has no disk of its own.
 */
export class ReadyRoots {
  readonly #folder: string;
  readonly #trash: Trash;
  readonly #userNamespace: Pick<UserNamespace, 'foldersOf'>;
  #expected: Expected | undefined;
  #isOpen = false;

  /** `folder`: for those that are nobody's yet, on the disk of the containers. */
  constructor(folder: string, parts: { execute: Execute; userNamespace: Pick<UserNamespace, 'foldersOf'> }) {
    this.#folder = folder;
    this.#trash = new Trash(join(folder, TRASH), parts.execute);
    this.#userNamespace = parts.userNamespace;
  }

  /** Makes the folder, and removes what an earlier runtime left in it. Where that cannot be, as on a full disk, there are none. */
  open(): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      spreadFolders(this.#folder);
      this.#trash.open();
      for (const name of readdirSync(this.#folder))
        if (name !== TRASH) this.#trash.tidy(join(this.#folder, name));
      this.#isOpen = true;
    } catch (error) {
      console.error('No root file system is mounted in advance:', error);
    }
  }

  /** Resolves when nothing is removed any more. What is left the next runtime removes. */
  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#trash.emptied();
  }

  /** A container came up with this: the next one will want the same, mostly, or can have none either. */
  expect(spec: LaunchSpec): void {
    if (!this.#isOpen || !canHaveOne(spec)) {
      this.forget();
      return;
    }
    const lookups = [...PLACES, ...programsOf(spec)];
    const mappedFolders =
      this.#expected && isSame(this.#expected, spec) ? this.#expected.mappedFolders : this.#mapped(spec);
    this.#expected = mappedFolders && { lower: spec.rootfs.lower, mappedFolders, lookups };
  }

  /** What was expected cannot be mounted, any more perhaps, or nobody wants it. */
  forget(): void {
    this.#expected = undefined;
  }

  /** Layers were removed: what was expected may be gone with them. */
  forgetMissing(): void {
    if (this.#expected && isMissing(this.#expected)) this.forget();
  }

  /** One to be mounted; undefined: nobody knows of which image. */
  begin(): ReadyRoot | undefined {
    const path = join(this.#folder, randomBytes(16).toString('hex'));
    return this.#expected && { ...this.#expected, upper: `${path}.upper`, work: `${path}.work` };
  }

  /** Nobody will have it; or it became a container's, or did not in part. */
  discard({ upper, work }: ReadyRoot): void {
    if (!this.#isOpen) return;
    for (const path of [upper, work]) this.#trash.remove(path);
  }

  /** The folders whose owners are mapped for it; undefined: that cannot be. */
  #mapped({ rootfs: { lower }, userNamespace }: LaunchSpec): string[] | undefined {
    if (!userNamespace) return [];
    try {
      return this.#userNamespace.foldersOf([...lower, this.#folder]);
    } catch {
      // Somebody has taken a folder away.
      return undefined;
    }
  }
}

type Expected = Omit<ReadyRoot, 'upper' | 'work'>;

/** Whether the container can have this root file system. */
export function fits(root: ReadyRoot, spec: LaunchSpec): boolean {
  return suits(root, spec) && !existsSync(spec.rootfs.upper);
}

/**
 * Whether a sandbox with this root file system, or without any, is the one for such a container. One that it does not use stays mounted as long as the
 * container runs, holds the files of its image, and at the end brings the whole disk that it is on up to date.
 */
export function suits(root: ReadyRoot | undefined, spec: LaunchSpec): boolean {
  return root ? canHaveOne(spec) && isSame(root, spec) : !canHaveOne(spec);
}

/** Whether a layer of it has been removed. */
export function isMissing({ lower }: Pick<ReadyRoot, 'lower'>): boolean {
  return !lower.every((folder) => existsSync(folder));
}

function canHaveOne({ rootfs }: LaunchSpec): boolean {
  return !rootfs.disk && !rootfs.volatile;
}

function isSame(root: Expected, { rootfs, userNamespace }: LaunchSpec): boolean {
  const { lower } = rootfs;
  return (
    isMapped(root) === userNamespace &&
    root.lower.length === lower.length &&
    root.lower.every((folder, at) => folder === lower[at])
  );
}

/** Where its program may be; of a long PATH the first ones: whoever wrote it does not pay for the sandboxes of others. */
function programsOf(spec: LaunchSpec): string[] {
  return candidates(spec)
    .slice(0, MOST_PROGRAMS)
    .filter((path) => path.startsWith('/'));
}

/** Where something is mounted in every container. */
const PLACES = ['/dev', '/proc', '/sys', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf'];
const MOST_PROGRAMS = 16;
const TRASH = 'trash';
