import { closeSync, readSync } from 'node:fs';
import { openPipe, resizeTerminal } from '../syscall/descriptors.ts';
import { onceReadable } from '../syscall/readiness.ts';
import { openTerminalOf } from '../syscall/terminals.ts';
import { killExec } from './exec-kill.ts';
import { planExec } from './exec-plan.ts';
import { parseExitStatus, type WatchedProcess } from './exits.ts';
import { HeldDescriptors, stdioOf } from './held-descriptors.ts';
import type { ExecProcess, ExecSpec } from './kernel.ts';
import type { ProcessMaker } from './process-maker.ts';
import type { LaunchParts } from './sandbox-launch.ts';
import { givePipes, hasUserNamespace, terminalOwner } from './user-namespace.ts';

/** Starts a program in a container: `container` is its first process, `group` the name of its control group. Rejects with `SetupError`, or ENOENT if that process has ended. */
export async function launchExec(
  spec: ExecSpec,
  {
    container,
    group,
    processes,
    parts,
  }: {
    container: WatchedProcess;
    group: string;
    processes: ProcessMaker;
    parts: Pick<LaunchParts, 'host' | 'filter' | 'cgroups'>;
  },
): Promise<ExecProcess> {
  using open = new HeldDescriptors();
  const userNamespace = hasUserNamespace(container.pid);
  const cgroups = open.add(parts.cgroups.open(group));
  const exit = openPipe();
  const exited = exitStatus(exit.read);
  open.add({ exit: exit.write });
  const terminal =
    'terminal' in spec.stdio
      ? openTerminalOf(container.pid, terminalOwner({ ...spec, userNamespace }))
      : undefined;
  const stdio = terminal ? open.add({ terminal: terminal.slave }) : stdioOf(spec.stdio);
  try {
    if (terminal && 'terminal' in spec.stdio) resizeTerminal(terminal.master, spec.stdio.terminal);
    givePipes({ ...spec, userNamespace });
    const { pid, pidfd, ready } = await processes.launch({
      cloneFlags: 0,
      operations: planExec(spec, {
        host: parts.host,
        filter: parts.filter,
        userNamespace,
        cgroups: parts.cgroups.version === 1 ? Object.keys(cgroups) : [],
      }),
      descriptors: { container: container.pidfd, ...cgroups, ...stdio },
      exitFile: exit.write,
      ...(parts.cgroups.version === 2 ? { cgroup: 'cgroup' } : {}),
    });
    closeSync(pidfd);
    await ready;
    const kill = () => killExec(pid, parts.cgroups.processes(group));
    return { pid, exited, kill, ...(terminal ? { terminal: terminal.master } : {}) };
  } catch (error) {
    if (terminal) closeSync(terminal.master);
    throw error;
  }
}

/** What the helper of an exec writes at the end: the exit status; nothing if it was killed with the container. */
function exitStatus(pipe: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  onceReadable(pipe, () => {
    const bytes = Buffer.alloc(8);
    resolve(parseExitStatus(bytes.toString('latin1', 0, readSync(pipe, bytes))));
    closeSync(pipe);
  });
  return promise;
}
