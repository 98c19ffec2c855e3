import { dirname } from 'node:path';
import type { Operation } from '../../init/operation-list.ts';
import {
  AT,
  CLONE,
  FSCONFIG,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT,
  MOUNT_ATTRIBUTE,
  MOVE_MOUNT,
  OPEN_TREE,
} from '../../syscall/constants.ts';
import type { LaunchSpec } from '../kernel.ts';
import { BASE } from './base-namespace.ts';
import type { HostFacts } from './host-facts.ts';
import { planMappedFolders } from './user-namespace-plan.ts';

type Rootfs = LaunchSpec['rootfs'];

/** The folders that take what is written; as root of the host, whose they are. */
export function planUpper({ upper, work }: Pick<Rootfs, 'upper' | 'work'>): Operation[] {
  const folder = (path: string, mode: number): Operation => ({
    call: 'mkdirat',
    args: [AT.FDCWD, path, mode],
    purpose: `make the folder "${path}"`,
    tolerate: 'EEXIST',
    onDataDisk: true,
  });
  return [folder(upper, 0o755), folder(work, 0o700)];
}

/**
 * Stacks the layers into a mount that is nowhere yet, `{ result: 'rootfs' }`, in the host's mount namespace. The container
 * reads in its mountinfo how the folders were named here: so they are named from its own folder on, not from the host's root.
 */
export function planRootfs(
  rootfs: Pick<Rootfs, 'lower' | 'upper' | 'work' | 'volatile'>,
  host: HostFacts,
  mappedFolders: string[] = [],
): Operation[] {
  const folder = dirname(rootfs.upper);
  const named: Stack = {
    lower: rootfs.lower.map((layer) => relative(folder, layer)),
    writes: { upper: relative(folder, rootfs.upper), work: relative(folder, rootfs.work) },
    volatile: rootfs.volatile,
  };
  const isPrivate = mappedFolders.length > 0 || !host.overlayLayers;
  return [
    ...(isPrivate ? planPrivateMounts() : []),
    ...planMappedFolders(mappedFolders),
    { call: 'chdir', args: [folder], purpose: `enter "${folder}"` },
    ...(host.overlayLayers ? layerByLayer(named) : atOnce(named)),
  ];
}

/** The same of folders that nothing is written to, at least two. */
export function planReadOnlyRootfs(lower: string[], host: HostFacts): Operation[] {
  const folder = dirname(lower[0]!);
  const named = { lower: lower.map((layer) => relative(folder, layer)), writes: undefined, volatile: false };
  return [
    ...(host.overlayLayers ? [] : planPrivateMounts()),
    { call: 'chdir', args: [folder], purpose: `enter "${folder}"` },
    ...(host.overlayLayers ? layerByLayer(named) : atOnce(named)),
  ];
}

interface Stack {
  /** Topmost first. */
  lower: string[];
  writes: { upper: string; work: string } | undefined;
  volatile: boolean;
}

/** In a copy of the base namespace: the root file system to its place. */
export function planRootfsPlacement(): Operation[] {
  return [
    {
      call: 'move_mount',
      args: [{ result: 'rootfs' }, '', AT.FDCWD, BASE.root, MOVE_MOUNT.F_EMPTY_PATH],
      purpose: 'place the root file system',
    },
    { call: 'close', args: [{ result: 'rootfs' }], purpose: 'close the root file system' },
  ];
}

/** `index`, `metacopy` and `redirect_dir` off: the upper folder must stand for itself when it becomes a layer. */
const STANDALONE_UPPER = ['index', 'metacopy', 'redirect_dir'];

/** As path.relative(), of absolute paths that are in order. */
function relative(from: string, path: string): string {
  const [here, there] = [from.split('/'), path.split('/')];
  let common = 0;
  while (common < here.length && here[common] === there[common]) common++;
  return '../'.repeat(here.length - common) + there.slice(common).join('/');
}

function layerByLayer({ lower, writes, volatile }: Stack): Operation[] {
  const set = (key: string, value: string | null, purpose: string): Operation => ({
    call: 'fsconfig',
    args: [{ result: 'overlay' }, value === null ? FSCONFIG.SET_FLAG : FSCONFIG.SET_STRING, key, value, 0],
    purpose,
  });
  return [
    { call: 'fsopen', args: ['overlay', FSOPEN_CLOEXEC], purpose: 'open the overlay', result: 'overlay' },
    ...lower.map((layer) => set('lowerdir+', layer, `add the layer "${layer}" to the root file system`)),
    ...(writes
      ? [
          set('upperdir', writes.upper, `use "${writes.upper}" as upper folder of the root file system`),
          set('workdir', writes.work, `use "${writes.work}" as work folder of the root file system`),
        ]
      : []),
    ...STANDALONE_UPPER.map((key) => set(key, 'off', `switch off the overlay's ${key}`)),
    ...(volatile ? [set('volatile', null, 'make the overlay volatile')] : []),
    {
      call: 'fsconfig',
      args: [{ result: 'overlay' }, FSCONFIG.CMD_CREATE, null, null, 0],
      purpose: `stack ${lower.length} layers${writes ? ` and "${writes.upper}"` : ''}`,
    },
    {
      call: 'fsmount',
      args: [{ result: 'overlay' }, FSMOUNT_CLOEXEC, MOUNT_ATTRIBUTE.NODEV | MOUNT_ATTRIBUTE.NOSUID],
      purpose: 'mount the root file system',
      result: 'rootfs',
    },
    { call: 'close', args: [{ result: 'overlay' }], purpose: 'close the overlay' },
  ];
}

/**
 * Before Linux 6.8: one mount(2) with all options in a page, in a private copy of the host's mount namespace;
 * fsconfig(2) would take only 256 characters of `lowerdir` there.
 */
function atOnce({ lower, writes, volatile }: Stack): Operation[] {
  const options = [
    `lowerdir=${lower.map(escapeOption).join(':')}`,
    ...(writes ? [`upperdir=${escapeOption(writes.upper)}`, `workdir=${escapeOption(writes.work)}`] : []),
    ...STANDALONE_UPPER.map((key) => `${key}=off`),
    ...(volatile ? ['volatile'] : []),
  ].join(',');
  const names = [...lower, ...(writes ? [writes.upper] : [])];
  return [
    {
      call: 'mount',
      args: ['overlay', WORKPLACE, 'overlay', MOUNT.NODEV | MOUNT.NOSUID, options],
      purpose: `stack ${names.map((name) => `"${name}"`).join(', ')}`,
    },
    {
      call: 'open_tree',
      args: [AT.FDCWD, WORKPLACE, OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC],
      purpose: 'take up the root file system',
      result: 'rootfs',
    },
  ];
}

function planPrivateMounts(): Operation[] {
  return [
    { call: 'unshare', args: [CLONE.NEWNS], purpose: 'copy the host’s mount namespace' },
    {
      call: 'mount',
      args: ['none', '/', null, MOUNT.REC | MOUNT.PRIVATE, null],
      purpose: 'make the copy of the host’s mount namespace private',
    },
  ];
}

const WORKPLACE = '/tmp';

/** `\`, `,` and `:` have a meaning in overlay's options. */
function escapeOption(path: string): string {
  return path.replace(/[\\,:]/g, '\\$&');
}
