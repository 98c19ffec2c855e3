import { join } from 'node:path';
import { mergeEnv } from '../images/image.ts';
import type { VolumeStore } from '../volumes/volume-store.ts';
import { type ContainerConfig, type HostConfig, isVolatile } from './container-config.ts';
import { DISK_FOLDER, DISK_UPPER, DISK_WORK, diskImage } from './disk/disk-folders.ts';
import type { LaunchSpec } from './kernel.ts';
import { limitsOf, processLimitsOf } from './limits.ts';
import { mountsOf } from './mount-points.ts';
import { parseTmpfs } from './tmpfs.ts';
import type { User } from './user.ts';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What the engine has found out or opened for one start of a container. */
export interface LaunchContext {
  user: User;
  /** The container's own folder. */
  folder: string;
  volumes: VolumeStore;
  /** The folder of a layer. */
  layerPath: (id: string) => string;
  stdio: LaunchSpec['stdio'];
  traffic: LaunchSpec['traffic'];
}

/** The kernel's order for one start of a container. Pure. */
export function launchSpec(config: ContainerConfig, context: LaunchContext): LaunchSpec {
  const { process, host } = config;
  const { user, folder } = context;
  return {
    id: config.id,
    rootfs: rootfsOf(config, context),
    hostname: hostname(config),
    domainName: process.Domainname ?? '',
    args: [...process.Entrypoint, ...process.Cmd],
    env: environment(config, user),
    cwd: process.WorkingDir || '/',
    uid: user.uid,
    gid: user.gid,
    groups: user.groups,
    capabilities: user.uid === 0 ? host.CapAdd : [],
    userNamespace: hasUserNamespace(host, user),
    limits: limitsOf(host),
    ...processLimitsOf(host),
    network: host.NetworkMode === 'none' ? 'none' : 'nat',
    traffic: context.traffic,
    extraHosts: host.ExtraHosts,
    binds: bindsOf(config, context.volumes),
    shmSize: host.ShmSize,
    tmpfs: Object.entries(host.Tmpfs).map(([target, options]) => parseTmpfs(target, options)),
    readOnlyRoot: host.ReadonlyRootfs,
    sysctls: host.Sysctls,
    stdio: context.stdio,
    exitFile: join(folder, 'exit'),
  };
}

/** A container whose root may do something: its main process, or an exec with the capabilities that were added. */
function hasUserNamespace({ UsernsMode, CapAdd }: HostConfig, { uid }: User): boolean {
  return UsernsMode !== 'host' && (uid === 0 || CapAdd.length > 0);
}

/** Where overlay keeps what the container writes. */
function writableFolders(
  config: ContainerConfig,
  folder: string,
): Pick<LaunchSpec['rootfs'], 'upper' | 'work' | 'disk'> {
  if (!config.host.DiskSize)
    return { upper: join(folder, 'upper'), work: join(folder, 'work'), disk: undefined };
  const disk = { image: diskImage(folder), folder: join(folder, DISK_FOLDER) };
  return { upper: join(disk.folder, DISK_UPPER), work: join(disk.folder, DISK_WORK), disk };
}

/** The folders that a container's root file system is made of. */
export function rootfsOf(
  config: ContainerConfig,
  context: Pick<LaunchContext, 'folder' | 'layerPath'>,
): LaunchSpec['rootfs'] {
  return {
    lower: config.layers.map(context.layerPath).reverse(),
    ...writableFolders(config, context.folder),
    volatile: isVolatile(config),
  };
}

/** What is mounted into a container, by where it is on the host. */
export function bindsOf(config: ContainerConfig, volumes: VolumeStore): LaunchSpec['binds'] {
  return mountsOf(config).map((mount) => ({
    source: mount.type === 'volume' ? volumes.path(mount.name) : mount.source,
    target: mount.target,
    readOnly: mount.readOnly,
  }));
}

/** The variables of a process in the container: some defaults, then the container's own, then `over`. */
export function environment(config: ContainerConfig, user: User, over: string[] = []): string[] {
  const defaults = [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${hostname(config)}`, `HOME=${user.home}`];
  if (config.process.Tty) defaults.push('TERM=xterm');
  return mergeEnv(mergeEnv(defaults, config.process.Env), over);
}

function hostname(config: ContainerConfig): string {
  return config.process.Hostname || config.id.slice(0, 12);
}
