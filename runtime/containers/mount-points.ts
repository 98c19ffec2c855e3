import { EngineError } from '../engine-error.ts';
import type { VolumeStore } from '../volumes/volume-store.ts';
import { type Access, type ContainerConfig, parseBind } from './container-config.ts';

/** A container's first process keeps each until all are in their places (operation-list.ts). */
const MOST_MOUNTS = 200;

/** Something of the host that is mounted into a container. */
export type MountPoint = VolumeMount | BindMount;

export interface VolumeMount {
  type: 'volume';
  /** Of the volume. */
  name: string;
  target: string;
  readOnly: boolean;
  /** The volume was made for this container. */
  anonymous: boolean;
  /** It stays empty, whatever the image has there. */
  noCopy: boolean;
}

export interface BindMount {
  type: 'bind';
  /** Path on the host. */
  source: string;
  target: string;
  readOnly: boolean;
}

/** What a request says of a mount: a volume may still be without a name. */
export type MountRequest =
  | BindMount
  | (Omit<VolumeMount, 'name' | 'anonymous'> & { name?: string; labels?: Record<string, string> });

/** A container's mounts; those of a record of an earlier version stand in its binds alone. */
export function mountsOf(config: Pick<ContainerConfig, 'mounts' | 'host'>): MountPoint[] {
  return config.mounts ?? config.host.Binds.map((text) => bindMount(text) as MountPoint);
}

/** One of `Binds`, which says a volume's name or a path. Throws nothing for what `parseBind` knows. */
export function bindMount(text: string): MountRequest {
  const { source, target, readOnly, noCopy } = parseBind(text)!;
  if (source.startsWith('/')) return { type: 'bind', source: withoutSlashes(source), target, readOnly };
  return { type: 'volume', name: source, target, readOnly, noCopy, ...{ anonymous: false } };
}

/**
 * All mounts of a new container, each target once: what it asks for, then volumes of its own for the folders that its image
 * (or the request) wants on one. Volumes that are not there are made. Throws `invalid`, `conflict`, `forbidden`.
 */
export function makeMounts(
  wanted: { mounts: MountRequest[]; folders: string[]; tmpfs: string[] },
  context: { volumes: VolumeStore; access: Access; refusedSources: string[] },
): MountPoint[] {
  const taken = new Set(wanted.tmpfs.map(withoutSlashes));
  const mounts = wanted.mounts.map((mount) => byVolumeName(mount, context.volumes));
  for (const mount of mounts) {
    const target = withoutSlashes(mount.target);
    if (taken.has(target)) throw new EngineError('invalid', `Duplicate mount point: ${mount.target}`);
    taken.add(target);
    refuseTarget(mount.target);
    if (mount.type === 'bind') refuseSource(mount.source, context.refusedSources);
  }
  const folders = wanted.folders.filter((folder) => !taken.has(withoutSlashes(folder)));
  for (const folder of folders) refuseTarget(folder);
  const own = folders.map(
    (target): MountRequest => ({ type: 'volume', target, readOnly: false, noCopy: false }),
  );
  if (mounts.length + own.length > MOST_MOUNTS)
    throw new EngineError('invalid', `A container can have ${MOST_MOUNTS} volumes and binds at most.`);
  return [...mounts, ...own].map((mount) => makeMount(mount, context));
}

/** A volume may also be said by where it is. */
function byVolumeName(mount: MountRequest, volumes: VolumeStore): MountRequest {
  const name = mount.type === 'bind' ? volumes.nameAt(mount.source) : undefined;
  if (name === undefined) return mount;
  return { type: 'volume', name, target: mount.target, readOnly: mount.readOnly, noCopy: false };
}

function makeMount(mount: MountRequest, context: { volumes: VolumeStore; access: Access }): MountPoint {
  if (mount.type === 'bind') return mount;
  const { volumes, access } = context;
  const { target, readOnly, noCopy, labels = {} } = mount;
  const volume =
    mount.name === undefined ? volumes.create(access) : volumes.ensure(mount.name, { access, labels });
  return { type: 'volume', name: volume.name, target, readOnly, noCopy, anonymous: volume.anonymous };
}

/** CVE-2019-19921: a volume over /proc. */
function refuseTarget(target: string): void {
  if (!isPlainPath(target) || withoutSlashes(target) === '/') {
    throw new EngineError(
      'invalid',
      `"${target}" is no place to mount something: an absolute path without "." or "..", and not "/".`,
    );
  }
  if (/^\/+(proc|sys|dev)(\/|$)/.test(target)) {
    throw new EngineError(
      'invalid',
      `Nothing can be mounted at "${target}": /proc, /sys and /dev are the runtime's.`,
    );
  }
}

/** What would give the machine away: its whole file system, the kernel's, or the runtime's own folders and sockets. */
function refuseSource(source: string, refused: string[]): void {
  if (/^\/(proc|sys|dev)(\/|$)/.test(source)) {
    throw new EngineError('forbidden', `"${source}" of the host cannot be mounted into a container.`);
  }
  const own = refused.find((folder) => isWithin(folder, source) || isWithin(source, folder));
  if (own !== undefined) {
    throw new EngineError(
      'forbidden',
      `"${source}" cannot be mounted into a container: "${own}" is the runtime's own.`,
    );
  }
}

function isWithin(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`);
}

export function isPlainPath(path: string): boolean {
  return (
    path.startsWith('/') &&
    !path.includes('\0') &&
    !path.split('/').some((part) => part === '.' || part === '..')
  );
}

function withoutSlashes(path: string): string {
  return path.replace(/(?<=.)\/+$/, '').replace(/\/{2,}/g, '/');
}
