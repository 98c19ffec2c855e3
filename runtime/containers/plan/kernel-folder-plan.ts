import type { Operation } from '../../init/operation-list.ts';
import { AT, MOVE_MOUNT, OPEN, RESOLVE } from '../../syscall/constants.ts';
import { OPEN_HOW_SIZE, openHow } from '../../syscall/files.ts';
import type { LaunchSpec } from '../kernel.ts';
import { BASE } from './base-namespace.ts';
import { planDevices, planSharedMemory, terminalGroup, USUAL_SHM_SIZE } from './sandbox-plan.ts';

/** The sandbox's /dev, /proc and /sys into the root file system, `{ result: 'root' }`. */
export function planKernelFolders(spec: LaunchSpec): Operation[] {
  return [...DEV, ...planOwnDevices(spec), ...PROC, ...SYS];
}

/** What is not as the sandbox has it, over that. What belongs to root in a user namespace is made anew, as its root. */
function planOwnDevices(spec: LaunchSpec): Operation[] {
  const dev = `${BASE.root}/dev`;
  const { userNamespace, shmSize, stdio } = spec;
  return [
    ...(userNamespace ? planDevices(dev, { ttyGroup: terminalGroup(spec), shmSize }) : []),
    ...(shmSize === USUAL_SHM_SIZE || userNamespace ? [] : [planSharedMemory(dev, shmSize)]),
    ...('terminal' in stdio
      ? [
          {
            call: 'move_mount',
            args: [{ descriptor: 'terminals' }, '', AT.FDCWD, `${dev}/pts`, MOVE_MOUNT.F_EMPTY_PATH],
            purpose: 'mount "/dev/pts"',
          },
        ]
      : []),
  ];
}

/** Over a real folder of the image, no symbolic link (CVE-2019-19921). */
function place(from: string, name: string): Operation[] {
  return [
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
    {
      call: 'move_mount',
      args: [AT.FDCWD, from, { result: 'folder' }, '', MOVE_MOUNT.T_EMPTY_PATH],
      purpose: `mount "/${name}" in the root file system`,
    },
  ];
}

/** The same at each start. */
const [DEV, PROC, SYS] = [place(BASE.dev, 'dev'), place(BASE.proc, 'proc'), place(BASE.sys, 'sys')];
