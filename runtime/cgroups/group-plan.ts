import { type Operation, planFileWrite } from '../init/operation-list.ts';
import { AT, CLONE, OPEN } from '../syscall/constants.ts';

/**
 * How a process gets into the group that its memory is charged to: late in its launch. As long as the kernel keeps anything that was charged to a group, it
 * keeps the group, after its removal, too; and it keeps what it has seen of a disk, such as the new folders of an overlay, until it needs the memory.
 */
export interface LateEntry {
  /** While the host's files are seen. */
  open: Operation[];
  /** When all is mounted: from then on it sees its group, in each hierarchy, as the root. */
  join: Operation[];
}

/** Into the group at `path`, the last of the process's. */
export function planLateEntry(path: string): LateEntry {
  const purpose = `join the cgroup "${path}"`;
  const file = { result: 'cgroup.procs' };
  return {
    open: [
      {
        call: 'openat',
        args: [AT.FDCWD, `${path}/cgroup.procs`, OPEN.WRONLY | OPEN.CLOEXEC],
        purpose,
        result: file.result,
      },
    ],
    join: [
      { call: 'write', args: [file, '0', 1], purpose },
      { call: 'close', args: [file], purpose },
      { call: 'unshare', args: [CLONE.NEWCGROUP], purpose: 'make its cgroup namespace' },
    ],
  };
}

/** Makes a group, or takes over an empty one. */
export function planGroup(path: string): Operation[] {
  return [
    {
      call: 'mkdirat',
      args: [AT.FDCWD, path, 0o755],
      purpose: `make the cgroup "${path}"`,
      tolerate: 'EEXIST',
    },
  ];
}

/** Writes into a control file of a group. */
export function planControl(
  path: string,
  { file, value }: { file: string; value: string | number },
): Operation[] {
  const text = String(value);
  return [planFileWrite(`${path}/${file}`, text, { purpose: `set ${file} to ${text}` })];
}

/** Moves the process that does it into a group. */
export function planJoining(path: string): Operation[] {
  return planControl(path, { file: 'cgroup.procs', value: 0 });
}
