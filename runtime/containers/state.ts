import { EngineError } from '../engine-error.ts';
import type { ContainerExit, StartedProcess } from './kernel.ts';

/**
 * A container's state, as it stands in the records.
 *
 *              start         pause
 *   created ──────────► running ⇄ paused
 *                        ▲ ▲ └────┬────┘
 *                  start │ │      │ its last process has ended (a paused one: was killed)
 *                        │ │      ▼
 *                        │ └── restarting ──┐  by its restart policy, after a while
 *                        │        │         │
 *                        │        │ stop    │ (or at once, without a policy)
 *                        │        ▼         │
 *                        └───── exited ◄────┘
 *
 * What cannot be started goes to exited, too, with the reason. Docker's "removing" and "dead" do not exist here:
 * a removal is one rename.
 */
export type ContainerState =
  | { status: 'created' }
  | ({ status: 'running' | 'paused' } & Life)
  | ({ status: 'exited' } & Death)
  | ({
      status: 'restarting';
      /** ISO 8601: when it is started again. */
      restartAt: string;
    } & Death);

/** While a process of it lives. */
export interface Life {
  startedAt: string;
  process: Omit<StartedProcess, 'terminal'>;
  /** A client has asked for its end: no restart policy brings it back. */
  stopping: boolean;
  restarts: Restarts;
}

/** When its last process has ended. */
export interface Death {
  /** undefined: its process could not be started. */
  startedAt: string | undefined;
  finishedAt: string;
  exitCode: number;
  oomKilled: boolean;
  /** Why it could not be started. */
  error: string | undefined;
  /** It ended because a client asked for that. */
  stopped: boolean;
  restarts: Restarts;
}

/** How often the restart policy has brought it back since a client started it. */
export interface Restarts {
  count: number;
  /** Before the last of them, in milliseconds. */
  delay: number;
}

export const NO_RESTARTS: Restarts = { count: 0, delay: 0 };

/** created, exited or restarting → running. Throws `conflict`. */
export function started(state: ContainerState, process: StartedProcess, now: Date): ContainerState {
  if (isAlive(state)) throw new EngineError('conflict', 'The container is running already.');
  const { pid, startTime, group, address, ports, exitFile } = process;
  return {
    status: 'running',
    startedAt: now.toISOString(),
    process: { pid, startTime, ...(group && { group }), address, exitFile, ...(ports && { ports }) },
    stopping: false,
    restarts: state.status === 'restarting' ? state.restarts : NO_RESTARTS,
  };
}

/** running → paused. Throws `conflict`. */
export function paused(state: ContainerState): ContainerState {
  if (state.status === 'paused') throw new EngineError('conflict', 'The container is already paused.');
  if (state.status !== 'running') throw new EngineError('conflict', 'The container is not running.');
  return { ...state, status: 'paused' };
}

/** paused → running. Throws `conflict`. */
export function unpaused(state: ContainerState): ContainerState {
  if (state.status !== 'paused') throw new EngineError('conflict', 'The container is not paused.');
  return { ...state, status: 'running' };
}

/** Of a running or paused one: a client has asked for its end. Throws `conflict`. */
export function stopping(state: ContainerState): ContainerState {
  if (!isAlive(state)) throw new EngineError('conflict', 'The container is not running.');
  return { ...state, stopping: true };
}

/** running or paused → exited; or, to be started again after `restart.delay` milliseconds, → restarting. Throws `conflict`. */
export function exited(
  state: ContainerState,
  exit: ContainerExit,
  { now, restart }: { now: Date; restart?: { delay: number } | undefined },
): ContainerState {
  if (!isAlive(state)) throw new EngineError('conflict', 'The container is not running.');
  const death: Death = {
    startedAt: state.startedAt,
    finishedAt: now.toISOString(),
    exitCode: exit.code,
    oomKilled: exit.oomKilled,
    error: undefined,
    stopped: state.stopping,
    restarts: state.restarts,
  };
  if (!restart) return { status: 'exited', ...death };
  const restartAt = new Date(now.getTime() + restart.delay).toISOString();
  const restarts = { count: state.restarts.count + 1, delay: restart.delay };
  return { status: 'restarting', restartAt, ...death, restarts };
}

/** restarting → exited: a client does not want it back. Throws `conflict`. */
export function givenUp(state: ContainerState): ContainerState {
  if (state.status !== 'restarting') throw new EngineError('conflict', 'The container is not restarting.');
  const { restartAt: _, ...death } = state;
  return { ...death, status: 'exited', stopped: true };
}

/** created, exited or restarting → exited, with the reason why its process could not be started. Throws `conflict`. */
export function failed(
  state: ContainerState,
  failure: { exitCode: number; error: string; now: Date },
): ContainerState {
  if (isAlive(state)) throw new EngineError('conflict', 'The container is running already.');
  return {
    status: 'exited',
    startedAt: undefined,
    finishedAt: failure.now.toISOString(),
    exitCode: failure.exitCode,
    oomKilled: false,
    error: failure.error,
    stopped: false,
    restarts: state.status === 'restarting' ? state.restarts : NO_RESTARTS,
  };
}

/** Whether a process of it lives. */
export function isAlive(state: ContainerState): state is Extract<ContainerState, Life> {
  return state.status === 'running' || state.status === 'paused';
}

/** How many seconds it has run, as text. */
export function secondsRun(state: ContainerState, now: Date): string {
  const startedAt = state.status === 'created' ? undefined : state.startedAt;
  return String(startedAt ? Math.floor((now.getTime() - Date.parse(startedAt)) / 1000) : 0);
}
