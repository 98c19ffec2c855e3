import type { Operation } from '../../init/operation-list.ts';
import { AT, MNT_DETACH, MOUNT } from '../../syscall/constants.ts';

/**
 * Folders of the base mount namespace, from which every container's is copied. It holds nothing of the host, so that
 * whoever gets out of a container's root folder finds an empty read-only tmpfs.
 */
export const BASE = {
  /** Where a container's root file system is mounted. */
  root: '/m',
  /** Template of /dev, bound read-only into every container. */
  devices: '/d',
  /** A container's files in memory: its own /etc/hosts etc., and `shm`. */
  files: '/f',
  /** Where its own /dev, /proc and /sys wait for its root file system. */
  dev: '/v',
  proc: '/p',
  sys: '/s',
  /** Empty, to hide folders behind. */
  nothing: '/n',
} as const;

/** Makes the base mount namespace out of a copy of the host's. */
export function planBaseNamespace(): Operation[] {
  const purpose = 'make the containers’ base mount namespace';
  const step = (call: string, ...args: Operation['args']): Operation => ({ call, args, purpose });
  return [
    step('umask', 0),
    step('mount', 'none', '/', null, MOUNT.REC | MOUNT.PRIVATE, null),
    step('mount', 'paas', WORKPLACE, 'tmpfs', MOUNT.NOSUID | MOUNT.NODEV, 'mode=755,size=256k'),
    step('chdir', WORKPLACE),
    ...Object.values(BASE).map((folder) => step('mkdirat', AT.FDCWD, `.${folder}`, 0o755)),
    ...deviceTemplate(`.${BASE.devices}`).map(([call, ...args]) => step(call, ...args)),
    step('pivot_root', '.', '.'),
    step('umount2', '.', MNT_DETACH),
    step(
      'mount',
      'none',
      '/',
      null,
      MOUNT.BIND | MOUNT.REMOUNT | MOUNT.RDONLY | MOUNT.NOSUID | MOUNT.NODEV,
      null,
    ),
  ];
}

/** Any folder that every Linux has; what it holds is only covered in the namespace that is being made. */
const WORKPLACE = '/tmp';

type Call = [string, ...Operation['args']];

/** What an app finds in /dev; nodes for null, zero, full, random, urandom and tty are harmless (moby, oci/defaults.go). */
function deviceTemplate(folder: string): Call[] {
  const CHARACTER_DEVICE = 0o20666;
  const devices: [string, number, number][] = [
    ['null', 1, 3],
    ['zero', 1, 5],
    ['full', 1, 7],
    ['random', 1, 8],
    ['urandom', 1, 9],
    ['tty', 5, 0],
  ];
  const links = [
    ['fd', '/proc/self/fd'],
    ['stdin', '/proc/self/fd/0'],
    ['stdout', '/proc/self/fd/1'],
    ['stderr', '/proc/self/fd/2'],
    ['ptmx', 'pts/ptmx'],
  ];
  return [
    ['mount', 'paas-dev', folder, 'tmpfs', MOUNT.NOSUID | MOUNT.NOEXEC, 'mode=755,size=64k'],
    ...devices.map(
      ([name, major, minor]): Call => [
        'mknodat',
        AT.FDCWD,
        `${folder}/${name}`,
        CHARACTER_DEVICE,
        major * 256 + minor,
      ],
    ),
    ...links.map(([name, target]): Call => ['symlinkat', target!, AT.FDCWD, `${folder}/${name}`]),
    ...['pts', 'shm', 'mqueue'].map((name): Call => ['mkdirat', AT.FDCWD, `${folder}/${name}`, 0o755]),
    [
      'mount',
      'none',
      folder,
      null,
      MOUNT.BIND | MOUNT.REMOUNT | MOUNT.RDONLY | MOUNT.NOSUID | MOUNT.NOEXEC,
      null,
    ],
  ];
}
