import type { Operation } from '../../init/operation-list.ts';
import { type ContainerNetwork, planNetworkSettings, planOwnNetwork } from '../../network/network-plan.ts';
import { AT, CLONE, MOUNT, OPEN } from '../../syscall/constants.ts';
import { MAX_TERMINALS } from '../../syscall/terminals.ts';
import { mostFiles } from '../tmpfs.ts';
import { BASE } from './base-namespace.ts';
import type { HostFacts } from './host-facts.ts';
import { mount } from './mount-call.ts';
import { planBounding } from './privilege-plan.ts';
import { planReadyRoot, planReadyRootPlacement, type ReadyRoot } from './ready-root-plan.ts';
import { hostId } from './user-namespace-plan.ts';

/** What a sandbox needs beyond what all have in common. */
export interface SandboxContext {
  host: HostFacts;
  /** Undefined: loopback alone. */
  network: ContainerNetwork | undefined;
  /** What gets the process into control groups. */
  group: Operation[];
  /** Whether no program in it can ever get a capability. */
  isBounded?: boolean;
  /** To be mounted in advance. */
  root?: ReadyRoot | undefined;
}

/**
 * What a container's first process does before it is anybody's: groups, network, namespaces, and a mount namespace in which /dev, /proc and
 * /sys wait for a root file system. Afterwards it is in the host's mount namespace again, where layers and binds are found.
 * The same for every container, so that it can be done in advance: nothing of an app has a part in it, and of an image only the one that is expected.
 */
export function planSandbox({ host, network, group, isBounded, root }: SandboxContext): Operation[] {
  return [
    ...group,
    ...planOwnNetwork(network),
    openNamespace('/proc/thread-self/ns/mnt', 'host’s mounts'),
    ...(root ? planReadyRoot(root, host) : []),
    enter({ descriptor: 'base namespace' }, 'enter the base mount namespace'),
    {
      call: 'unshare',
      args: [CLONE.NEWNS | CLONE.NEWUTS | CLONE.NEWIPC],
      purpose: 'make the container’s namespaces',
    },
    mount(BASE.devices, BASE.dev, null, { flags: MOUNT.BIND }),
    planTerminals(BASE.dev, TTY_GROUP),
    ...planFilesInMemory(),
    planMessageQueues(BASE.dev),
    mount('proc', BASE.proc, 'proc', { flags: NOTHING_SPECIAL }),
    ...(network ? planNetworkSettings(BASE.proc) : []),
    ...planKernelFolders(host),
    ...(root ? planReadyRootPlacement(root) : []),
    openNamespace(`${BASE.proc}/thread-self/ns/mnt`, 'own mounts'),
    { call: 'dup3', args: [{ result: 'own mounts' }, MOUNTS, OPEN.CLOEXEC], purpose: 'keep its mounts' },
    { call: 'close', args: [{ result: 'own mounts' }], purpose: 'keep its mounts' },
    enter({ result: 'host’s mounts' }, 'go back to the host’s mounts'),
    { call: 'close', args: [{ result: 'host’s mounts' }], purpose: 'go back to the host’s mounts' },
    ...(isBounded ? planBounding(0n, host) : []),
  ];
}

/** From here on no mount of the host can be reached. */
export function planSandboxEntry(): Operation[] {
  return [
    { call: 'setns', args: [MOUNTS, CLONE.NEWNS], purpose: 'enter the container’s mount namespace' },
    { call: 'close', args: [MOUNTS], purpose: 'enter the container’s mount namespace' },
  ];
}

/** Docker's default. */
export const USUAL_SHM_SIZE = 64 << 20;

/** Terminals, shared memory and message queues, over folders of that name in `dev`. */
export function planDevices(dev: string, options: { ttyGroup: number; shmSize: number }): Operation[] {
  return [
    planTerminals(dev, options.ttyGroup),
    planSharedMemory(dev, options.shmSize),
    planMessageQueues(dev),
  ];
}

function planTerminals(dev: string, group: number): Operation {
  return mount('devpts', `${dev}/pts`, 'devpts', {
    flags: MOUNT.NOSUID | MOUNT.NOEXEC,
    options: `newinstance,ptmxmode=0666,mode=0620,gid=${group},max=${MAX_TERMINALS}`,
  });
}

export function planSharedMemory(dev: string, size: number): Operation {
  return mount('shm', `${dev}/shm`, 'tmpfs', {
    flags: NOTHING_SPECIAL,
    options: memoryOptions('1777', size),
  });
}

function memoryOptions(mode: string, size: number): string {
  return `mode=${mode},size=${size},nr_inodes=${mostFiles(size)}`;
}

function planMessageQueues(dev: string): Operation {
  return mount('mqueue', `${dev}/mqueue`, 'mqueue', { flags: NOTHING_SPECIAL });
}

/** Shared memory and the files in /etc are one file system: the kernel keeps a bit for each that there is, in each memory group. */
function planFilesInMemory(): Operation[] {
  const shm = `${BASE.files}/shm`;
  const purpose = 'make "/dev/shm"';
  return [
    mount('shm', BASE.files, 'tmpfs', {
      flags: NOTHING_SPECIAL,
      options: memoryOptions('755', USUAL_SHM_SIZE),
    }),
    { call: 'mkdirat', args: [AT.FDCWD, shm, 0], purpose },
    { call: 'fchmodat', args: [AT.FDCWD, shm, 0o1777], purpose },
    mount(shm, `${BASE.dev}/shm`, null, { flags: MOUNT.BIND }),
  ];
}

/** The group `tty`, in every image. */
const TTY_GROUP = 5;

/** The host's number of the group `tty` inside. */
export function terminalGroup(spec: { userNamespace: boolean }): number {
  return hostId(TTY_GROUP, spec);
}

/** /sys, and what in it and in /proc tells of or changes the machine hidden or read-only. */
function planKernelFolders(host: HostFacts): Operation[] {
  return [
    mount('sysfs', BASE.sys, 'sysfs', { flags: NOTHING_SPECIAL | MOUNT.RDONLY }),
    ...host.readOnlyPaths
      .map(placeOf)
      .flatMap((path) => [
        mount(path, path, null, { flags: MOUNT.BIND | MOUNT.REC }),
        mount('none', path, null, { flags: MOUNT.BIND | MOUNT.REMOUNT | MOUNT.RDONLY | NOTHING_SPECIAL }),
      ]),
    ...host.maskedFiles.map((path) =>
      mount(`${BASE.devices}/null`, placeOf(path), null, { flags: MOUNT.BIND }),
    ),
    ...host.maskedFolders.map((path) => mount(BASE.nothing, placeOf(path), null, { flags: MOUNT.BIND })),
  ];
}

/** Where a path below /proc or /sys is before there is a root file system. */
function placeOf(path: string): string {
  return path.replace(/^\/proc(?=\/)/, BASE.proc).replace(/^\/sys(?=\/)/, BASE.sys);
}

function openNamespace(path: string, result: string): Operation {
  return {
    call: 'openat',
    args: [AT.FDCWD, path, OPEN.RDONLY | OPEN.CLOEXEC],
    purpose: `open the ${result}`,
    result,
  };
}

function enter(namespace: Operation['args'][number], purpose: string): Operation {
  return { call: 'setns', args: [namespace, CLONE.NEWNS], purpose };
}

/** Where the descriptor of a sandbox's mount namespace is kept: above all that it is sent later. */
const MOUNTS = 210;
const NOTHING_SPECIAL = MOUNT.NOSUID | MOUNT.NODEV | MOUNT.NOEXEC;
