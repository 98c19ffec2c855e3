import type { Operation } from '../init/operation-list.ts';
import { CLONE } from '../syscall/constants.ts';
import type { ExecSpec } from './kernel.ts';
import { planCgroups } from './launch-plan.ts';
import { planClosing } from './output-pipes.ts';
import { planApp, planNullInput, planStdio, planWorkingFolder } from './plan/app-plan.ts';
import { BASE } from './plan/base-namespace.ts';
import type { HostFacts } from './plan/host-facts.ts';
import { planPrivileges } from './plan/privilege-plan.ts';
import { planOomScore, planResourceLimits } from './plan/process-limit-plan.ts';
import { planUserNamespace } from './plan/user-namespace-plan.ts';

/** What an exec needs beyond the spec; the container's pidfd is the descriptor `container`. */
export interface ExecContext {
  host: HostFacts;
  filter: Uint8Array;
  /** The container has a user namespace. */
  userNamespace: boolean;
  /** Names of the descriptors of cgroup v1 to join. */
  cgroups: string[];
}

/** Everything that a helper process does between its birth and the start of a program in a running container. */
export function planExec(spec: ExecSpec, context: ExecContext): Operation[] {
  return [
    ...planCgroups(context.cgroups),
    ...planOomScore(spec),
    ...planStdio(spec.stdio),
    ...planEntry(),
    ...planNullInput(spec.stdio),
    ...planResourceLimits(context.host, spec),
    ...(context.userNamespace ? planUserNamespace('container') : []),
    ...planClosing(0),
    ...planPrivileges(spec, context.host, context.filter),
    ...planWorkingFolder(spec.cwd),
    ...planApp(spec, { isPid1: false, pipes: 0 }),
  ];
}

/** All namespaces at once; that of processes begins with the helper's child, so nobody in there ever sees the helper. */
function planEntry(): Operation[] {
  const ALL = CLONE.NEWNS | CLONE.NEWUTS | CLONE.NEWIPC | CLONE.NEWNET | CLONE.NEWPID | CLONE.NEWCGROUP;
  return [
    { call: 'setns', args: [{ descriptor: 'container' }, ALL], purpose: 'enter the container' },
    { call: 'chdir', args: [BASE.root], purpose: 'enter the root file system' },
    { call: 'chroot', args: ['.'], purpose: 'make it the root' },
  ];
}
