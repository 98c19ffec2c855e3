import { type Operation, planFileWrite } from '../init/operation-list.ts';
import { AT } from '../syscall/constants.ts';

/** How a container's first process gets into its group: it does most of it itself, beside whatever we do meanwhile. */
export interface GroupEntry {
  operations: Operation[];
  /** What the process is sent or born with, by name; the caller closes them. */
  descriptors: Record<string, number>;
}

/**
 * How memory comes to be charged to a container's group: late in its launch. As long as the kernel keeps anything that was charged to a group, it
 * keeps the group, after its removal, too; and it keeps what it has seen of a disk, such as the new folders of an overlay, until it needs the memory.
 */
export interface MemoryEntry {
  /** While the host's files are seen. */
  open: Operation[];
  /** When all is mounted. */
  join: Operation[];
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
