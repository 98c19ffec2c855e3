import { spawn } from 'node:child_process';
import { PaasError } from '../../deploy/model/paas-error.ts';

export interface ProgramResult {
  status: number;
  stdout: string;
  /** The last lines of standard error. */
  stderr: string;
}

/** Runs a program of the host (argv, never a shell) and resolves with its status; -1: it could not be started. */
export function tryProgram(
  argv: [string, ...string[]],
  options: { env?: NodeJS.ProcessEnv; onLine?: (line: string) => void } = {},
): Promise<ProgramResult> {
  const [file, ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
    });
    let stdout = '';
    const errors: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      lastLines(text, 1).forEach((line) => {
        options.onLine?.(line);
      });
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors.push(...lastLines(text, 20));
      errors.splice(0, errors.length - 20);
      options.onLine?.(errors.at(-1) ?? '');
    });
    child.on('error', (error) => resolve({ status: -1, stdout, stderr: error.message }));
    child.on('close', (code) => resolve({ status: code ?? -1, stdout, stderr: errors.join('\n') }));
  });
}

/** As `tryProgram`, but throws `unavailable` ("could not WHAT: …") unless the status is 0. Returns standard output. */
export async function runProgram(
  what: string,
  argv: [string, ...string[]],
  options: { env?: NodeJS.ProcessEnv; onLine?: (line: string) => void } = {},
): Promise<string> {
  const { status, stdout, stderr } = await tryProgram(argv, options);
  if (status !== 0) {
    const said = (stderr || stdout).trim().split('\n').slice(-6).join('\n  ');
    throw new PaasError('unavailable', `Could not ${what}: ${argv[0]} said\n  ${said || `exit ${status}`}`);
  }
  return stdout;
}

function lastLines(text: string, count: number): string[] {
  return text
    .split(/[\r\n]+/)
    .filter((line) => line.trim())
    .slice(-count);
}
