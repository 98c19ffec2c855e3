import { type Operation, planFileWrite } from '../../init/operation-list.ts';
import { AT, MOUNT, MOUNT_ATTRIBUTE, MOVE_MOUNT, OPEN, OPEN_TREE, RESOLVE } from '../../syscall/constants.ts';
import { OPEN_HOW_SIZE, openHow } from '../../syscall/files.ts';
import type { LaunchSpec } from '../kernel.ts';
import { SetupError } from '../setup-error.ts';
import { BASE } from './base-namespace.ts';
import { planOwnerMap } from './user-namespace-plan.ts';

// What lists open is closed all at once, before privileges are given up (planClosing() in output-pipes.ts).

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

/** The folders of every root file system in which something of ours is mounted, made if missing. */
export function planPlaces(): Operation[] {
  return ['dev', 'proc', 'sys', 'etc'].map((name) => ({
    call: 'mkdirat',
    args: [AT.FDCWD, `${BASE.root}/${name}`, 0o755],
    purpose: `make the folder "/${name}"`,
    tolerate: 'EEXIST',
  }));
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
    const makeIn = (parent: string): Operation => ({
      call: 'mkdirat',
      args: [{ result: parent }, name, 0o755],
      purpose: `make the folder "/${names.slice(0, index + 1).join('/')}"`,
      tolerate: 'EEXIST',
    });
    if (index === 0) return [makeIn('root')];
    const above = names.slice(0, index).join('/');
    return [
      openInRoot(above, OPEN.PATH | OPEN.DIRECTORY, `open the folder "/${above}"`, 'parent'),
      makeIn('parent'),
    ];
  });
}

/** /etc/hosts, /etc/hostname, /etc/resolv.conf: files in memory over those of the image, which stays as it is. */
export function planEtcFiles(files: Record<string, string>): Operation[] {
  return Object.entries(files).flatMap(([name, text]): Operation[] => {
    const file = `${BASE.files}/${name}`;
    const purpose = `write "/etc/${name}"`;
    return [
      planFileWrite(file, text, { purpose, flags: OPEN.CREAT, mode: 0o644 }),
      {
        call: 'open_tree',
        args: [AT.FDCWD, file, OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC],
        purpose,
        result: 'file',
      },
      ...placeInRoot({ result: 'file' }, `/etc/${name}`, false),
    ];
  });
}

/** From here on there is no path to anything but the container's own. */
export function planRootChange(): Operation[] {
  return [
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

function parentOf(path: string): string {
  return path.replace(/\/+[^/]+\/*$/, '') || '/';
}
