import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { PaasError } from '../model/paas-error.ts';

/** Absolute, so that no PATH decides. */
export const GIT = ['/usr/bin/git', '/usr/local/bin/git'].find((path) => existsSync(path)) ?? '/usr/bin/git';

/** Where a push's objects stand until it is accepted (git-receive-pack(1), QUARANTINE ENVIRONMENT). */
export interface Quarantine {
  GIT_OBJECT_DIRECTORY?: string;
  GIT_ALTERNATE_OBJECT_DIRECTORIES?: string;
}

/**
 * Nothing of the platform's or the pusher's environment or settings reaches git. Objects are synced to disk
 * (git 2.39 leaves refs and loose objects to the page cache by default).
 */
export function gitEnvironment(extra: Record<string, string | undefined> = {}): Record<string, string> {
  const environment = {
    PATH: '/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    ...extra,
  };
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** Starts git with these arguments; never a shell. */
export function startGit(args: string[], options: SpawnOptions & { quarantine?: Quarantine }): ChildProcess {
  const { quarantine, ...rest } = options;
  return spawn(GIT, args, { ...rest, env: { ...gitEnvironment({ ...quarantine }), ...rest.env } });
}

/** Runs git and returns what it printed; refuses more than `maxBytes` or `maxMilliseconds`. */
export async function runGit(
  args: string[],
  options: { cwd: string; quarantine?: Quarantine; maxBytes?: number; maxMilliseconds?: number },
): Promise<Buffer> {
  const { cwd, quarantine, maxBytes = 8 * 1024 * 1024, maxMilliseconds = 10_000 } = options;
  const child = startGit(args, { cwd, ...(quarantine && { quarantine }), stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), maxMilliseconds);
  try {
    const exit = new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    const [stdout, stderr, status] = await Promise.all([
      collect(child.stdout!, maxBytes, child),
      collect(child.stderr!, 64 * 1024, child),
      exit,
    ]);
    if (status !== 0) {
      const reason = status === null ? 'it took too long or printed too much' : stderr.toString().trim();
      throw new PaasError('internal', `git ${args[0]} failed: ${reason}`);
    }
    return stdout;
  } finally {
    clearTimeout(timer);
  }
}

/** Whether `old` is part of what `commit` is made from. */
export async function isAncestor(
  old: string,
  commit: string,
  { cwd, quarantine }: { cwd: string; quarantine: Quarantine },
): Promise<boolean> {
  const child = startGit(['merge-base', '--is-ancestor', old, commit], { cwd, quarantine, stdio: 'ignore' });
  return new Promise((resolve) => {
    child.on('error', () => resolve(false));
    child.on('close', (status) => resolve(status === 0));
  });
}

async function collect(stream: Readable, maxBytes: number, child: ChildProcess): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > maxBytes) child.kill('SIGKILL');
    else chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
