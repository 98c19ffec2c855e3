import { spawn } from 'node:child_process';
import { EngineError } from '../../engine-error.ts';

/** Runs a program of the host for a container's disk. Throws `unavailable` with what it said, unless it exits with at most `maxCode`. */
export async function runTool(program: string, args: string[], maxCode = 0): Promise<void> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin', LC_ALL: 'C' },
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (said.length < 1000) said += chunk;
  });
  const code = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      said += error.message;
      resolve(-1);
    });
    child.once('close', (status) => resolve(status ?? -1));
  });
  if (code >= 0 && code <= maxCode) return;
  throw new EngineError(
    'unavailable',
    `Something went wrong with the container's disk: ${program}: ${said.trim() || `exit status ${code}`}`,
  );
}
