import type { Container } from '../containers/container.ts';
import type { Health } from '../containers/health.ts';
import { type ContainerState, isAlive } from '../containers/state.ts';

const NEVER = '0001-01-01T00:00:00Z';

/** `State` in the answer to `GET /containers/{id}/json`. What is restarting counts as running there, as in Docker. */
export function stateView({ state, health }: Pick<Container, 'state' | 'health'>): object {
  const life = isAlive(state) ? state : undefined;
  const death = 'finishedAt' in state ? state : undefined;
  return {
    Status: state.status,
    Running: isAlive(state) || state.status === 'restarting',
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: death?.oomKilled ?? false,
    Dead: false,
    Pid: life?.process.pid ?? 0,
    ExitCode: death?.exitCode ?? 0,
    Error: death?.error ?? '',
    StartedAt: life?.startedAt ?? death?.startedAt ?? NEVER,
    FinishedAt: death?.finishedAt ?? NEVER,
    ...(health ? { Health: healthView(health) } : {}),
  };
}

/** How often its restart policy has brought it back. */
export function restartCount(state: ContainerState): number {
  return state.status === 'created' ? 0 : state.restarts.count;
}

/** As in `docker ps`: `Up 5 minutes (healthy)`. */
export function statusText({ state, health }: Pick<Container, 'state' | 'health'>, now: Date): string {
  const since = (time: string) => duration(now.getTime() - Date.parse(time));
  switch (state.status) {
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${since(state.startedAt)}${health ? ` (${healthText(health)})` : ''}`;
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'exited':
      return `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
  }
}

function healthView(health: Health): object {
  return {
    Status: health.status,
    FailingStreak: health.failingStreak,
    Log: health.log.map(({ start, end, exitCode, output }) => ({
      ...{ Start: start, End: end },
      ...{ ExitCode: exitCode, Output: output },
    })),
  };
}

function healthText({ status }: Health): string {
  return status === 'starting' ? 'health: starting' : status;
}

/** In Docker's words. */
function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.round(minutes / 60);
  const days = Math.floor(hours / 24);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (days < 14) return `${days} days`;
  if (days < 60) return `${Math.floor(days / 7)} weeks`;
  if (days < 730) return `${Math.floor(days / 30)} months`;
  return `${Math.floor(days / 365)} years`;
}
