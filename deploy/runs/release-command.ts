import type { Engine } from '../engine.ts';
import type { DynoLimits } from '../model/dyno-limits.ts';
import { PaasError } from '../model/paas-error.ts';
import type { Release } from '../model/release.ts';
import { detail } from '../model/words.ts';
import { runRequest } from './run-request.ts';

const COMMAND = 'release';
const MAX_OUTPUT = 256 * 1024;

/** The `release:` command of a pending release, in a dyno of its own, with its output to the pusher. Throws `invalid` where it fails. */
export async function runReleaseCommand(
  release: Release,
  context: {
    engine: Engine;
    limits: DynoLimits;
    write: (text: string) => void;
    /** Gets the beginning of its output at the end, also where it fails. */
    keep: (output: string) => void;
    signal: AbortSignal;
  },
): Promise<void> {
  const { engine, limits, write, keep, signal } = context;
  let output = '';
  write(detail(`Running release command: ${release.processes[COMMAND]}`));
  const dyno = { name: 'release.1', limits, stdin: false };
  const id = await engine.create(runRequest(release, dyno, { command: COMMAND }));
  const kill = () => void engine.kill(id, 'SIGKILL').catch(() => {});
  signal.addEventListener('abort', kill, { once: true });
  try {
    const stream = await engine.attach(id, { stdin: false, terminal: false });
    stream.output.on('data', (chunk: Buffer) => {
      write(chunk.toString().replace(/^(?=.)/gm, '       '));
      if (output.length < MAX_OUTPUT) output += chunk.toString();
    });
    await engine.start(id);
    if (signal.aborted) kill();
    const status = await engine.wait(id);
    signal.throwIfAborted();
    if (status !== 0) {
      throw new PaasError(
        'invalid',
        `The release command exited with status ${status}.\n\nPush rejected, release command failed.`,
      );
    }
  } finally {
    signal.removeEventListener('abort', kill);
    keep(output.slice(0, MAX_OUTPUT));
    await engine.remove(id);
  }
}
