import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { EngineError, type EngineErrorCode } from '../engine-error.ts';
import { comeAsOthers } from '../priority.ts';
import {
  type Change,
  DESCRIPTOR,
  type FileJob,
  type Outcome,
  type Packed,
  type PackJob,
  type Unpacked,
  type UnpackJob,
} from './job.ts';

const PROGRAM = fileURLToPath(new URL('process.ts', import.meta.url));
const SETPRIV = '/usr/bin/setpriv';

/** What a job's process may do; `sys_chroot` is for its first step. Whatever it makes keeps the archive's owners and modes. */
const CAPABILITIES: Record<string, string[]> = {
  unpack: ['chown', 'dac_override', 'fowner', 'fsetid', 'setfcap', 'sys_chroot'],
  pack: ['dac_override', 'sys_chroot'],
  // Overlay's marks (trusted.…) are only shown to those with sys_admin; no archive is read here.
  layer: ['dac_override', 'sys_chroot', 'sys_admin'],
  digest: ['sys_chroot'],
  sizes: ['dac_override'],
};

interface Descriptors {
  /** The folder to work in. */
  root?: number;
  /** What is below an upper folder. */
  below?: number;
  input?: Readable | number;
  output?: Writable;
  signal?: AbortSignal;
}

/** Starts a process for each job with files (files/process.ts) and waits for it. */
export class FileWorker {
  /** Throws `invalid` for an archive that is none, or that must not be unpacked; `unavailable` when the disk is full. */
  async unpack(job: Omit<UnpackJob, 'kind'>, io: Descriptors): Promise<Unpacked> {
    return (await run({ kind: 'unpack', ...job }, io)) as Unpacked;
  }

  /** `sha256:…` of a tar, uncompressed. Throws `invalid`. */
  async digest(io: { root: number; input: number; signal: AbortSignal }): Promise<string> {
    return (await run({ kind: 'digest' }, io)) as string;
  }

  async pack(job: Omit<PackJob, 'kind' | 'output'>, io: Descriptors): Promise<Packed> {
    return (await run({ kind: 'pack', ...job, output: io.output !== undefined }, io)) as Packed;
  }

  async changes(io: { root: number; below: number; signal?: AbortSignal }): Promise<Change[]> {
    return (await run({ kind: 'changes' }, io)) as Change[];
  }

  /** Bytes in folders, 0 for those that are not there. `root`: they are below this one, relative. */
  async sizes(folders: string[], root?: number): Promise<number[]> {
    const below = root === undefined ? '' : `/proc/self/fd/${DESCRIPTOR.root}/`;
    const job = { kind: 'sizes' as const, folders: folders.map((folder) => below + folder) };
    return (await run(job, root === undefined ? {} : { root })) as number[];
  }
}

async function run(job: FileJob, io: Descriptors): Promise<unknown> {
  const { signal } = io;
  signal?.throwIfAborted();
  const nothing = 'ignore' as const;
  const child = spawn(SETPRIV, argumentsFor(job), {
    stdio: [
      typeof io.input === 'number' ? io.input : io.input ? 'pipe' : nothing,
      io.output ? 'pipe' : nothing,
      'inherit',
      io.root ?? nothing,
      'pipe',
      io.below ?? nothing,
    ],
    env: process.env.NODE_COMPILE_CACHE ? { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE } : {},
    cwd: '/',
    detached: true,
  });
  comeAsOthers(child.pid);
  const kill = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  try {
    const ended = new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => resolve());
    });
    if (io.input && typeof io.input !== 'number') feed(io.input, child.stdin!);
    const written = io.output && pipeline(child.stdout!, io.output, { end: false }).catch(kill);
    const told = text(child.stdio[4] as Readable);
    await ended;
    await written;
    return resultOf(await told);
  } finally {
    signal?.removeEventListener('abort', kill);
  }
}

/** What a process does not want any more is thrown away: whoever sends it reads the answer only afterwards. */
function feed(input: Readable, stdin: Writable): void {
  input.pipe(stdin);
  stdin.on('error', () => {});
  stdin.once('close', () => {
    input.unpipe(stdin);
    input.resume();
  });
}

function argumentsFor(job: FileJob): string[] {
  const set = job.kind === 'changes' || (job.kind === 'pack' && job.layer) ? 'layer' : job.kind;
  const mapped = 'ownersFrom' in job && job.ownersFrom ? ['setuid', 'setgid'] : [];
  const bounding = ['-all', ...[...CAPABILITIES[set]!, ...mapped].map((name) => `+${name}`)].join(',');
  return [
    ...[`--bounding-set=${bounding}`, '--inh-caps=-all', '--ambient-caps=-all', '--no-new-privs', '--'],
    ...[process.execPath, '--max-old-space-size=512', '--disable-warning=ExperimentalWarning'],
    ...[PROGRAM, JSON.stringify(job)],
  ];
}

function resultOf(told: string): unknown {
  if (told === '') throw new EngineError('unavailable', 'The work with the files was broken off.');
  const outcome = JSON.parse(told) as Outcome;
  if ('result' in outcome) return outcome.result;
  const message = outcome.code === 'EROFS' ? 'What is mounted there is read-only.' : outcome.error;
  throw new EngineError(codeOf(outcome.code), message);
}

const CODES: Record<string, EngineErrorCode> = {
  invalid: 'invalid',
  ENOENT: 'not_found',
  ENOTDIR: 'invalid',
  ELOOP: 'invalid',
  ENOSPC: 'unavailable',
  EIO: 'unavailable',
  EROFS: 'forbidden',
  Z_DATA_ERROR: 'invalid',
  Z_BUF_ERROR: 'invalid',
};

function codeOf(code: string): EngineErrorCode {
  return CODES[code] ?? 'internal';
}
