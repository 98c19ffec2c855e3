import type { ContainerRequest } from '../engine.ts';
import { dynoRequest } from '../formation/dyno-request.ts';
import type { DynoLimits } from '../model/dyno-limits.ts';
import type { Release } from '../model/release.ts';
import type { RunOptions } from '../platform/runs.ts';

/** The container of a one-off dyno. A process type's name runs its command. */
export function runRequest(
  release: Release,
  dyno: { name: string; limits: DynoLimits; stdin: boolean },
  { command: asked, env, terminal }: Omit<RunOptions, 'user'>,
): ContainerRequest {
  const command = commandOf(release, asked);
  const request = dynoRequest({ release, name: dyno.name, command, limits: dyno.limits });
  const size = terminal && {
    TERM: terminal.term,
    COLUMNS: String(terminal.columns),
    LINES: String(terminal.rows),
  };
  return {
    ...request,
    env: { ...request.env, ...size, ...env },
    stdin: dyno.stdin,
    terminal: terminal !== undefined,
    labels: { ...request.labels, 'paas.kind': 'run' },
  };
}

export function commandOf(release: Release, asked: string): string {
  return release.processes[asked] ?? asked;
}
