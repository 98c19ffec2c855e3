import type { RestartPolicy } from './container-config.ts';
import { type ContainerState, type Death, isAlive } from './state.ts';

const FIRST_DELAY_MILLISECONDS = 100;
const LONGEST_DELAY_MILLISECONDS = 60_000;
/** Whoever ran for so long begins again with the first delay. */
const STABLE_MILLISECONDS = 10_000;

/** After how many milliseconds the policy wants a container back whose process has just ended; undefined: never. As Docker. */
export function restartDelay(
  policy: RestartPolicy,
  ended: { state: ContainerState; exitCode: number; now: Date },
): { delay: number } | undefined {
  const { state, exitCode, now } = ended;
  if (!isAlive(state) || state.stopping || !wants(policy, { exitCode, count: state.restarts.count }))
    return undefined;
  const ran = now.getTime() - Date.parse(state.startedAt);
  const isStable = ran >= STABLE_MILLISECONDS || state.restarts.delay === 0;
  return {
    delay: isStable
      ? FIRST_DELAY_MILLISECONDS
      : Math.min(2 * state.restarts.delay, LONGEST_DELAY_MILLISECONDS),
  };
}

/** Whether a container that had ended before this runtime began is started by it: those that are always to run. As Docker. */
export function startsWithRuntime(policy: RestartPolicy, death: Death): boolean {
  if (policy.Name === 'always') return true;
  return policy.Name === 'unless-stopped' && !death.stopped;
}

function wants(policy: RestartPolicy, ended: { exitCode: number; count: number }): boolean {
  switch (policy.Name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return (
        ended.exitCode !== 0 && (policy.MaximumRetryCount === 0 || ended.count < policy.MaximumRetryCount)
      );
    case 'no':
      return false;
  }
}
