import { EngineError } from '../engine-error.ts';
import type { ContainerExit, StartedProcess } from './kernel.ts';

/**
 * A container's state, as it stands in the records.
 *
 *   created ──► running ──► exited ──► running …
 *      └──────────────────────▲   (its process could not be started)
 */
export type ContainerState =
  | { status: 'created' }
  | { status: 'running'; startedAt: string; process: Omit<StartedProcess, 'terminal'> }
  | {
      status: 'exited';
      /** undefined: its process could not be started. */
      startedAt: string | undefined;
      finishedAt: string;
      exitCode: number;
      oomKilled: boolean;
      /** Why it could not be started. */
      error: string | undefined;
    };

/** created or exited → running. Throws `conflict`. */
export function started(state: ContainerState, process: StartedProcess, now: Date): ContainerState {
  if (state.status === 'running') throw new EngineError('conflict', 'The container is running already.');
  const { pid, startTime, address, ports, exitFile } = process;
  return {
    status: 'running',
    startedAt: now.toISOString(),
    process: { pid, startTime, address, exitFile, ...(ports && { ports }) },
  };
}

/** running → exited. Throws `conflict`. */
export function exited(state: ContainerState, exit: ContainerExit, now: Date): ContainerState {
  if (state.status !== 'running') throw new EngineError('conflict', 'The container is not running.');
  return {
    status: 'exited',
    startedAt: state.startedAt,
    finishedAt: now.toISOString(),
    exitCode: exit.code,
    oomKilled: exit.oomKilled,
    error: undefined,
  };
}

/** created or exited → exited, with the reason why its process could not be started. Throws `conflict`. */
export function failed(
  state: ContainerState,
  failure: { exitCode: number; error: string; now: Date },
): ContainerState {
  if (state.status === 'running') throw new EngineError('conflict', 'The container is running already.');
  return {
    status: 'exited',
    startedAt: undefined,
    finishedAt: failure.now.toISOString(),
    exitCode: failure.exitCode,
    oomKilled: false,
    error: failure.error,
  };
}
