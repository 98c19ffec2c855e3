import type { Operation } from '../../init/operation-list.ts';
import { AT, OPEN, TIO } from '../../syscall/constants.ts';
import type { ExecSpec } from '../kernel.ts';
import { SetupError } from '../setup-error.ts';
import { planAppLimits } from './process-limit-plan.ts';

/** Puts the spec's descriptors, or its terminal, at 0, 1 and 2. */
export function planStdio(stdio: ExecSpec['stdio']): Operation[] {
  if ('terminal' in stdio) return [0, 1, 2].map((place) => connect('terminal', place));
  return [
    ...(stdio.stdin === undefined ? [] : [connect('stdin', 0)]),
    connect('stdout', 1),
    connect('stderr', 2),
  ];
}

/** The file into which PID 1 writes the exit status: its place is known to init.c. */
export function planExitFile(path: string): Operation[] {
  const EXIT_FILE = 3;
  const purpose = `make "${path}"`;
  return [
    {
      call: 'openat',
      args: [AT.FDCWD, path, OPEN.WRONLY | OPEN.CREAT | OPEN.TRUNC | OPEN.CLOEXEC, 0o600],
      purpose,
      result: 'exit file',
      onDataDisk: true,
    },
    { call: 'dup3', args: [{ result: 'exit file' }, EXIT_FILE, OPEN.CLOEXEC], purpose },
    { call: 'close', args: [{ result: 'exit file' }], purpose },
  ];
}

/**
 * Without input, 0 is /dev/null of the container: through that of the host, whoever is root inside could change its mode
 * by way of /proc/self/fd/0.
 */
export function planNullInput(stdio: ExecSpec['stdio']): Operation[] {
  if ('terminal' in stdio || stdio.stdin !== undefined) return [];
  const purpose = 'connect descriptor 0 to /dev/null';
  return [
    { call: 'openat', args: [AT.FDCWD, '/dev/null', OPEN.RDONLY], purpose, result: 'null' },
    { call: 'dup3', args: [{ result: 'null' }, 0, 0], purpose },
  ];
}

/** As the app's user: a folder that it may not enter is refused, and so is one outside the root (CVE-2024-21626). */
export function planWorkingFolder(cwd: string): Operation[] {
  const purpose = `enter the working folder "${cwd}"`;
  return [
    { call: 'chdir', args: [cwd], purpose },
    { call: 'check_folder', args: [], purpose },
  ];
}

/** Forks: PID 1 (or the helper of an exec) supervises, and moves the output of so many pipes; the child becomes the app. */
export function planApp(
  spec: Pick<ExecSpec, 'args' | 'env' | 'stdio' | 'ulimits'>,
  { isPid1, pipes }: { isPid1: boolean; pipes: number },
): Operation[] {
  const argv = { strings: spec.args };
  const envp = { strings: spec.env };
  return [
    { call: 'spawn', args: [isPid1 ? 1 : 0, pipes], purpose: 'fork' },
    ...planAppLimits(spec),
    { call: 'setsid', args: [], purpose: 'begin a session' },
    ...('terminal' in spec.stdio
      ? [{ call: 'ioctl', args: [0, TIO.SCTTY, 0], purpose: 'take on the terminal' }]
      : []),
    ...candidates(spec).map((path) => ({
      call: 'execute',
      args: [path, argv, envp],
      purpose: `execute "${spec.args[0]}"`,
    })),
  ];
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where the program may be, as execvp(3) looks for it. */
export function candidates({ args, env }: Pick<ExecSpec, 'args' | 'env'>): string[] {
  const [program] = args;
  if (!program) throw new SetupError(127, 'There is no command to run.');
  if (program.includes('/')) return [program];
  const path = env.findLast((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH;
  return path.split(':').map((folder) => `${folder || '.'}/${program}`);
}

function connect(descriptor: string, place: number): Operation {
  return {
    call: 'dup3',
    args: [{ descriptor }, place, 0],
    purpose: `connect descriptor ${place}`,
  };
}
