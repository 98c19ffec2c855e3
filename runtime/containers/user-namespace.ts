import {
  closeSync,
  fchownSync,
  fstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { AT, CLONE, OPEN_TREE } from '../syscall/constants.ts';
import { SystemCallError, systemCall } from '../syscall/system-call.ts';
import type { TerminalOwner } from '../syscall/terminals.ts';
import type { ExecSpec, LaunchSpec } from './kernel.ts';
import { terminalGroup } from './plan/sandbox-plan.ts';
import { hostId, ID_MAP, OWNER_MAP_SIZE, ownerMap } from './plan/user-namespace-plan.ts';
import type { ProcessMaker } from './process-maker.ts';

/** The user namespace of all containers that have one, and where it can be used. */
export class UserNamespace {
  /** Undefined: this kernel makes none. */
  readonly descriptor: number | undefined;
  /** By device number: whether the file system can show its owners mapped. */
  readonly #mappable = new Map<number, boolean>();

  /** A helper makes it, and lives until we have it open. */
  static async open(processes: Pick<ProcessMaker, 'hold'>): Promise<UserNamespace> {
    try {
      const request = { cloneFlags: CLONE.NEWUSER, operations: [] };
      return new UserNamespace(await processes.hold(request, takeNamespace));
    } catch (error) {
      console.error('This kernel makes no user namespace; root of a container is root outside, too:', error);
      return new UserNamespace(undefined);
    }
  }

  private constructor(descriptor: number | undefined) {
    this.descriptor = descriptor;
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
  }

  /** The spec with a user namespace only if that is possible, and the folders whose owners are mapped then. */
  decide(spec: LaunchSpec): { spec: LaunchSpec; mappedFolders: string[] } {
    if (!spec.userNamespace) return { spec, mappedFolders: [] };
    const { lower, upper } = spec.rootfs;
    const folders = this.foldersOf([...lower, dirname(upper)]);
    if (folders.every((folder) => this.#canMap(folder))) return { spec, mappedFolders: folders };
    return { spec: { ...spec, userNamespace: false }, mappedFolders: [] };
  }

  /** The real folders behind these, each once. */
  foldersOf(paths: string[]): string[] {
    return [...new Set(paths.map((path) => realpathSync(path)))];
  }

  #canMap(folder: string): boolean {
    if (this.descriptor === undefined) return false;
    const { dev } = statSync(folder);
    const known = this.#mappable.get(dev);
    if (known !== undefined) return known;
    const mappable = tryOwnerMap(folder, this.descriptor);
    if (!mappable)
      console.error(
        `Root of containers with files in "${folder}" is root outside, too: no ID-mapped mounts there.`,
      );
    this.#mappable.set(dev, mappable);
    return mappable;
  }
}

function takeNamespace(pid: number): number {
  for (const name of ['uid_map', 'gid_map']) writeFileSync(`/proc/${pid}/${name}`, ID_MAP);
  return openSync(`/proc/${pid}/ns/user`, 'r');
}

/** Whether a process is in another user namespace than we are. Throws ENOENT if it has ended. */
export function hasUserNamespace(pid: number): boolean {
  return readlinkSync(`/proc/${pid}/ns/user`) !== readlinkSync('/proc/self/ns/user');
}

/** Outside, of a terminal for the spec's user. */
export function terminalOwner(spec: Pick<LaunchSpec, 'uid' | 'userNamespace'>): TerminalOwner {
  return { uid: hostId(spec.uid, spec), gid: terminalGroup(spec) };
}

/**
 * Gives the pipes of a container or an exec to its user, so that it can open /dev/stdin, /dev/stdout and /dev/stderr by their names. What is no
 * pipe stays whose it is.
 */
export function givePipes(spec: Pick<LaunchSpec, 'uid' | 'userNamespace'> & Pick<ExecSpec, 'stdio'>): void {
  if ('terminal' in spec.stdio) return;
  const { stdin, stdout, stderr } = spec.stdio;
  for (const descriptor of new Set([stdin, stdout, stderr])) {
    if (descriptor !== undefined && fstatSync(descriptor).isFIFO())
      fchownSync(descriptor, hostId(spec.uid, spec), 0);
  }
}

/** Known by doing: kernel and file system both have a say. */
function tryOwnerMap(folder: string, namespace: number): boolean {
  const mount = systemCall('open_tree', AT.FDCWD, folder, OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC);
  try {
    systemCall('mount_setattr', mount, '', AT.EMPTY_PATH, ownerMap(namespace), OWNER_MAP_SIZE);
    return true;
  } catch (error) {
    if (error instanceof SystemCallError) return false;
    throw error;
  } finally {
    closeSync(mount);
  }
}
