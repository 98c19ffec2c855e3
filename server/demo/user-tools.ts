import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { join } from 'node:path';

/** Where and how a user's ssh signs in. */
export interface SshOptions {
  /** File of the private key. */
  key: string;
  /** ADDRESS:PORT of the platform. */
  ssh: string;
  knownHosts: string;
}

export interface Target {
  /** ADDRESS:PORT of the router. */
  address: string;
  host: string;
  path?: string;
}

/** Makes an SSH key in `folder` and returns its file. */
export async function makeKey(folder: string): Promise<string> {
  const file = join(folder, 'id_ed25519');
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'demo', '-f', file]);
  return file;
}

/** Runs git in `cwd`, with the user's key for ssh remotes and none of this machine's git settings. */
export function git(cwd: string, options: SshOptions, ...args: string[]): Promise<string> {
  return run('git', args, { cwd, env: gitEnvironment(options) });
}

/** `git push paas main`; `onLine` gets what the platform says, line by line, as git shows it. */
export function gitPush(cwd: string, options: SshOptions, onLine: (line: string) => void): Promise<string> {
  return run('git', ['push', 'paas', 'main'], {
    cwd,
    env: gitEnvironment(options),
    onError: (text) => {
      for (const [, line] of text.matchAll(/remote: (.*?) *$/gm)) onLine(line ?? '');
    },
  });
}

/** Runs a command of the platform by ssh and returns its standard output. */
export function sshCommand(options: SshOptions, words: string[]): Promise<string> {
  const [address, port] = options.ssh.split(':') as [string, string];
  return run('ssh', [...sshArguments(options), '-p', port, `paas@${address}`, ...words]);
}

/** The trimmed body of a GET. Throws unless the answer is a 200 and complete. */
export function fetchText({ address, host, path = '/' }: Target): Promise<string> {
  const [hostname, port] = address.split(':') as [string, string];
  return new Promise((resolve, reject) => {
    const sent = request(
      { hostname, port, path, headers: { host }, agent: false, timeout: 30_000 },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        response.on('error', reject).on('end', () => {
          if (response.statusCode === 200 && response.complete) resolve(body.trim());
          else
            reject(new Error(`${host}${path} answered ${response.statusCode}: ${body.trim().slice(0, 200)}`));
        });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`${host}${path} did not answer within 30 s`)));
    sent.on('error', reject).end();
  });
}

/** Runs a program and returns its standard output. Throws with what it said unless its status is 0. */
export function run(
  file: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; onError?: (text: string) => void } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const { onError: _, ...rest } = options;
    const child = spawn(file, args, { ...rest, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let both = '';
    child.stdout.on('data', (text) => {
      stdout += text;
      both += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      both += text;
      options.onError?.(text);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(stdout);
      else
        reject(
          new Error(`${file} ${args.slice(0, 3).join(' ')} … ended with status ${code}:\n${both.trim()}`),
        );
    });
  });
}

function gitEnvironment(options: SshOptions): NodeJS.ProcessEnv {
  return {
    ...process.env,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_SSH_COMMAND: ['ssh', ...sshArguments(options)].join(' '),
  };
}

function sshArguments({ key, knownHosts }: SshOptions): string[] {
  const options = [
    `UserKnownHostsFile=${knownHosts}`,
    'StrictHostKeyChecking=accept-new',
    'IdentitiesOnly=yes',
    'BatchMode=yes',
    'LogLevel=ERROR',
  ];
  return ['-F', '/dev/null', '-i', key, ...options.flatMap((option) => ['-o', option])];
}
