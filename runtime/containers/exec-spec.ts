import type { ContainerConfig } from './container-config.ts';
import type { ExecSpec } from './kernel.ts';
import { environment } from './launch.ts';
import { processLimitsOf } from './limits.ts';
import type { User } from './user.ts';

/** What is asked of one more process in a running container. */
export interface ExecRequest {
  args: string[];
  /** Over the container's own. */
  env?: string[];
  /** Empty: the container's own. */
  workingDir?: string;
  stdio: ExecSpec['stdio'];
}

/** The kernel's order for one more process in a container. Pure. */
export function execSpec(config: ContainerConfig, user: User, request: ExecRequest): ExecSpec {
  return {
    args: request.args,
    env: environment(config, user, request.env ?? []),
    cwd: request.workingDir || config.process.WorkingDir || '/',
    uid: user.uid,
    gid: user.gid,
    groups: user.groups,
    capabilities: user.uid === 0 ? config.host.CapAdd : [],
    ...processLimitsOf(config.host),
    stdio: request.stdio,
  };
}
