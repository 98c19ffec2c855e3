import type { Operation } from '../../init/operation-list.ts';
import { AT, MOUNT, MOUNT_ATTRIBUTE, MOVE_MOUNT, OPEN, OPEN_TREE, RESOLVE } from '../../syscall/constants.ts';
import { OPEN_HOW_SIZE, openHow } from '../../syscall/files.ts';
import { MAX_TERMINALS } from '../../syscall/terminals.ts';
import type { LaunchSpec } from '../kernel.ts';
import { SetupError } from '../setup-error.ts';
import { BASE } from './base-namespace.ts';
import type { HostFacts } from './host-facts.ts';
import { planWrite } from './process-limit-plan.ts';
import { outsideId, planOwnerMap } from './user-namespace-plan.ts';

/** A bind mount whose source's type is known. */
export type Bind = LaunchSpec['binds'][number] & { isFolder: boolean };

/**
 * Opens the sources of the binds, in the host's mount namespace and before the root file system, whose workplace may cover them. With `mapOwners` what is user N's on the disk is user N's in the user
 * namespace; on a file system that cannot show it so, it is nobody's.
 */
export function planBindSources(binds: Bind[], options: { mapOwners: boolean }): Operation[] {
  return binds.flatMap((bind, index): Operation[] => [
    {
      call: 'open_tree',
      args: [AT.FDCWD, bind.source, OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC],
      purpose: `open "${bind.source}" to mount it`,
      result: `bind ${index}`,
    },
    {
      call: 'mount_setattr',
      args: [{ result: `bind ${index}` }, '', AT.EMPTY_PATH, bindAttributes(bind.readOnly), 32],
      purpose: `set the flags of the mount of "${bind.source}"`,
    },
    ...(options.mapOwners
      ? [
          {
            ...planOwnerMap(`bind ${index}`, `map the owners in "${bind.source}"`),
            tolerate: 'EINVAL',
          },
        ]
      : []),
  ]);
}

/** Opens the root file system, `{ result: 'root' }`: what an image says is only ever followed inside of it. */
export function planRootDescriptor(): Operation[] {
  return [
    {
      call: 'openat',
      args: [AT.FDCWD, BASE.root, OPEN.PATH | OPEN.DIRECTORY | OPEN.CLOEXEC],
      purpose: 'open the root file system',
      result: 'root',
    },
  ];
}

/** Puts the binds into place. Throws `SetupError` for a target that hides a file system of ours. */
export function planBinds(binds: Bind[]): Operation[] {
  return binds.flatMap((bind, index): Operation[] => {
    refuseReserved(bind.target);
    return [
      ...planFolder(bind.isFolder ? bind.target : parentOf(bind.target)),
      ...placeInRoot({ result: `bind ${index}` }, bind.target, bind.isFolder),
    ];
  });
}

/** A folder in the root file system, made with those above it if missing. */
export function planFolder(path: string): Operation[] {
  const names = path.split('/').filter(Boolean);
  return names.flatMap((name, index): Operation[] => {
    const parent = names.slice(0, index).join('/') || '.';
    return [
      openInRoot(
        parent,
        OPEN.PATH | OPEN.DIRECTORY,
        `open the folder "/${names.slice(0, index).join('/')}"`,
        'parent',
      ),
      {
        call: 'mkdirat',
        args: [{ result: 'parent' }, name, 0o755],
        purpose: `make the folder "/${names.slice(0, index + 1).join('/')}"`,
        tolerate: 'EEXIST',
      },
      close('parent'),
    ];
  });
}

/** /dev from the template, with terminals, shared memory and message queues of the container's own. */
export function planDevices(spec: LaunchSpec): Operation[] {
  const hasTerminal = 'terminal' in spec.stdio;
  const dev = `${BASE.root}/dev`;
  return [
    ...requireFolder('dev'),
    mount(BASE.devices, dev, null, { flags: MOUNT.BIND }),
    hasTerminal
      ? {
          call: 'move_mount',
          args: [{ descriptor: 'terminals' }, '', AT.FDCWD, `${dev}/pts`, MOVE_MOUNT.F_EMPTY_PATH],
          purpose: 'mount "/dev/pts"',
        }
      : mount('devpts', `${dev}/pts`, 'devpts', {
          flags: MOUNT.NOSUID | MOUNT.NOEXEC,
          options: `newinstance,ptmxmode=0666,mode=0620,gid=${terminalGroup(spec)},max=${MAX_TERMINALS}`,
        }),
    mount('shm', `${dev}/shm`, 'tmpfs', {
      flags: MOUNT.NOSUID | MOUNT.NODEV | MOUNT.NOEXEC,
      options: `mode=1777,size=${spec.shmSize}`,
    }),
    mount('mqueue', `${dev}/mqueue`, 'mqueue', { flags: MOUNT.NOSUID | MOUNT.NODEV | MOUNT.NOEXEC }),
  ];
}

/** The host's number of the group `tty` inside. */
export function terminalGroup({ userNamespace }: Pick<LaunchSpec, 'userNamespace'>): number {
  const TTY = 5;
  return userNamespace ? outsideId(TTY) : TTY;
}

/** /proc and /sys, with what tells of or changes the machine hidden or read-only; its own settings of the kernel are made before. */
export function planKernelFolders(host: HostFacts, sysctls: Record<string, string> = {}): Operation[] {
  const flags = MOUNT.NOSUID | MOUNT.NODEV | MOUNT.NOEXEC;
  const inRoot = (path: string) => BASE.root + path;
  return [
    ...requireFolder('proc'),
    mount('proc', inRoot('/proc'), 'proc', { flags }),
    ...Object.entries(sysctls).flatMap(([name, value]) =>
      planWrite(inRoot(`/proc/sys/${name.replaceAll('.', '/')}`), value),
    ),
    ...requireFolder('sys'),
    mount('sysfs', inRoot('/sys'), 'sysfs', { flags: flags | MOUNT.RDONLY }),
    ...(host.cgroupVersion === 2
      ? [mount('cgroup', inRoot('/sys/fs/cgroup'), 'cgroup2', { flags: flags | MOUNT.RDONLY })]
      : []),
    ...host.readOnlyPaths.flatMap((path) => [
      mount(inRoot(path), inRoot(path), null, { flags: MOUNT.BIND | MOUNT.REC }),
      mount('none', inRoot(path), null, { flags: MOUNT.BIND | MOUNT.REMOUNT | MOUNT.RDONLY | flags }),
    ]),
    ...host.maskedFiles.map((path) =>
      mount(`${BASE.devices}/null`, inRoot(path), null, { flags: MOUNT.BIND }),
    ),
    ...host.maskedFolders.map((path) => mount(BASE.nothing, inRoot(path), null, { flags: MOUNT.BIND })),
  ];
}

/** /etc/hosts, /etc/hostname, /etc/resolv.conf: files in memory over those of the image, which stays as it is. */
export function planEtcFiles(files: Record<string, string>): Operation[] {
  const names = Object.keys(files);
  return [
    mount('etc', BASE.files, 'tmpfs', {
      flags: MOUNT.NOSUID | MOUNT.NODEV | MOUNT.NOEXEC,
      options: 'mode=755,size=1m,nr_inodes=16',
    }),
    ...planFolder('/etc'),
    ...names.flatMap((name): Operation[] => {
      const file = `${BASE.files}/${name}`;
      const content = Buffer.from(files[name]!);
      const purpose = `write "/etc/${name}"`;
      return [
        {
          call: 'openat',
          args: [AT.FDCWD, file, OPEN.WRONLY | OPEN.CREAT | OPEN.CLOEXEC, 0o644],
          purpose,
          result: 'file',
        },
        { call: 'write', args: [{ result: 'file' }, content, content.length], purpose },
        close('file'),
        {
          call: 'open_tree',
          args: [AT.FDCWD, file, OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC],
          purpose,
          result: 'file',
        },
        ...placeInRoot({ result: 'file' }, `/etc/${name}`, false),
      ];
    }),
  ];
}

/** From here on there is no path to anything but the container's own. */
export function planRootChange(): Operation[] {
  return [
    close('root'),
    { call: 'chdir', args: [BASE.root], purpose: 'enter the root file system' },
    { call: 'chroot', args: ['.'], purpose: 'make it the root' },
  ];
}

/** `struct mount_attr`: never set-user-id programs or devices; private, so that no mount of the host follows. */
function bindAttributes(readOnly: boolean): Buffer {
  const set = MOUNT_ATTRIBUTE.NOSUID | MOUNT_ATTRIBUTE.NODEV | (readOnly ? MOUNT_ATTRIBUTE.RDONLY : 0);
  return Buffer.from(new BigUint64Array([BigInt(set), 0n, BigInt(MOUNT.PRIVATE), 0n]).buffer);
}

/** CVE-2019-19921: a volume over /proc. */
function refuseReserved(target: string): void {
  const clean = `/${target
    .split('/')
    .filter((name) => name && name !== '.')
    .join('/')}`;
  if (!target.startsWith('/') || clean.split('/').includes('..')) {
    throw new SetupError(
      125,
      `"${target}" is no absolute path without "..", so nothing can be mounted there.`,
    );
  }
  if (clean === '/' || /^\/(proc|sys|dev)(\/|$)/.test(clean)) {
    throw new SetupError(
      125,
      `Nothing can be mounted at "${target}": "/", "/proc", "/sys" and "/dev" are reserved.`,
    );
  }
}

/** A real folder of the image, no symbolic link (CVE-2019-19921): what comes next is mounted there by path. */
function requireFolder(name: string): Operation[] {
  return [
    {
      call: 'mkdirat',
      args: [{ result: 'root' }, name, 0o755],
      purpose: `make the folder "/${name}"`,
      tolerate: 'EEXIST',
    },
    {
      call: 'openat2',
      args: [
        { result: 'root' },
        name,
        openHow({ flags: OPEN.PATH | OPEN.DIRECTORY, resolve: RESOLVE.NO_SYMLINKS | RESOLVE.BENEATH }),
        OPEN_HOW_SIZE,
      ],
      purpose: `use "/${name}" of the image, which must be a folder and no symbolic link`,
      result: 'folder',
    },
    close('folder'),
  ];
}

/** Moves a mount to a path of the root file system; a missing file is made. */
export function placeInRoot(source: { result: string }, target: string, isFolder: boolean): Operation[] {
  const purpose = `mount "${target}"`;
  const path = target.replace(/^\/+/, '');
  return [
    isFolder
      ? openInRoot(path, OPEN.PATH | OPEN.DIRECTORY, purpose, 'target')
      : openInRoot(path, OPEN.RDONLY | OPEN.CREAT | OPEN.NONBLOCK, purpose, 'target'),
    {
      call: 'move_mount',
      args: [source, '', { result: 'target' }, '', MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH],
      purpose,
    },
    close('target'),
    { call: 'close', args: [source], purpose },
  ];
}

function openInRoot(path: string, flags: number, purpose: string, result: string): Operation {
  const mode = flags & OPEN.CREAT ? 0o644 : 0;
  return {
    call: 'openat2',
    args: [{ result: 'root' }, path, openHow({ flags, mode, resolve: RESOLVE.IN_ROOT }), OPEN_HOW_SIZE],
    purpose,
    result,
  };
}

function mount(
  source: string,
  target: string,
  type: string | null,
  { flags, options = null }: { flags: number; options?: string | null },
): Operation {
  const shown = target.startsWith(`${BASE.root}/`) ? target.slice(BASE.root.length) : target;
  return { call: 'mount', args: [source, target, type, flags, options], purpose: `mount "${shown}"` };
}

function close(result: string): Operation {
  return { call: 'close', args: [{ result }], purpose: `close the ${result}` };
}

function parentOf(path: string): string {
  return path.replace(/\/+[^/]+\/*$/, '') || '/';
}
