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

  /** A container came up with this: the next one will want the same, mostly. */
  expect(spec: LaunchSpec): void {
    if (!this.#isOpen || !canHaveOne(spec)) return;
    const lookups = [...PLACES, ...candidates(spec).filter((path) => path.startsWith('/'))];
    if (this.#expected && isSame(this.#expected, spec)) this.#expected.lookups = lookups;
    else this.#expected = this.#mapped(spec, lookups);
  }

  /** What was expected cannot be mounted, any more perhaps. */
  forget(): void {
    this.#expected = undefined;
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

  #mapped({ rootfs: { lower }, userNamespace }: LaunchSpec, lookups: string[]): Expected | undefined {
    if (!userNamespace) return { lower, mappedFolders: [], lookups };
    try {
      return { lower, mappedFolders: this.#userNamespace.foldersOf([...lower, this.#folder]), lookups };
    } catch {
      // Somebody has taken a folder away.
      return undefined;
    }
  }
}

type Expected = Omit<ReadyRoot, 'upper' | 'work'>;

/** Whether the container can have this root file system. */
export function fits(root: ReadyRoot, spec: LaunchSpec): boolean {
  return canHaveOne(spec) && isSame(root, spec) && !existsSync(spec.rootfs.upper);
}

function canHaveOne({ rootfs }: LaunchSpec): boolean {
  return !rootfs.disk && !rootfs.volatile;
}

function isSame(root: Expected, { rootfs, userNamespace }: LaunchSpec): boolean {
  return isMapped(root) === userNamespace && root.lower.join() === rootfs.lower.join();
}

/** Where something is mounted in every container. */
const PLACES = ['/dev', '/proc', '/sys', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf'];
const TRASH = 'trash';
