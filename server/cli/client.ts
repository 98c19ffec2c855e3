import { execFile, spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { commands } from '../commands/all-commands.ts';
import type { Command } from '../commands/command.ts';
import { EXIT, EXIT_OF_CODE } from '../commands/exit-status.ts';
import { findCommand, type Scan, scanWords, splitAtCommand } from '../commands/grammar.ts';
import { commandHelp, noSuchHelp, overview, topicHelp } from '../commands/help.ts';
import { parseWords } from '../commands/shell-words.ts';
import { VERSION } from '../commands/version.ts';
import { parseRemotes } from './git-remote.ts';
import { sshArguments } from './ssh-arguments.ts';
import { resolveTarget } from './target.ts';

// This is the local client, on a developer's machine: it works out server and app, and lets `ssh` do the rest.

process.exitCode = await main(process.argv.slice(2)).catch(report);

async function main(argv: string[]): Promise<number> {
  const { words, remoteName } = takeRemoteFlag(argv);
  const { name, before, after } = splitAtCommand(words);
  const command = commands.find((known) => known.name === name || known.aliases?.includes(name));
  const scan = command && scanOrNothing(command, [...before, ...after]);
  const local = command && localAnswer(command, scan);
  if (local) return print(local);
  const git = await readGit();
  const target = targetOrNothing({ git, remoteName, appNamed: scan?.flags.has('app') ?? false }, name);
  if (!target) return print([`paas ${VERSION}`]);
  if (target.note) process.stderr.write(`${target.note}\n`);
  const extra = await extraWords({ command, scan, app: target.app });
  const files = scan && command?.files ? fileWords(scan.positionals, command.files) : [];
  const given =
    files.length > 0 ? [...withoutLast([...before, ...after], files), '-'] : [...before, ...after];
  return runSsh(
    git.sshCommand,
    sshArguments([name, ...extra, ...given], {
      host: target.host,
      terminal: command?.terminal === true && process.stdin.isTTY && process.stdout.isTTY,
      input: !command || command.stdin?.(scan?.positionals ?? [], scan?.flags ?? new Map()) === true,
    }),
    { interrupted: command?.interrupted, input: files.length > 0 ? readFiles(files) : undefined },
  );
}

/** Those of the last words that are files here. */
function fileWords(positionals: string[], most: number): string[] {
  if (positionals.includes('-')) return [];
  const last = positionals.slice(-most);
  const files = last.filter((word) => statSync(word, { throwIfNoEntry: false })?.isFile());
  const word = last.at(-1);
  if (word === undefined || files.includes(word)) return files;
  throw new PaasError('invalid', `There is no file ${quote(word)} here.`);
}

function withoutLast(words: string[], taken: string[]): string[] {
  return taken.reduce((left, word) => left.toSpliced(left.lastIndexOf(word), 1), words);
}

function readFiles(files: string[]): string {
  return files
    .map((file) => {
      try {
        return readFileSync(file, 'utf8');
      } catch (error) {
        throw new PaasError('invalid', `${quote(file)} cannot be read: ${(error as Error).message}`);
      }
    })
    .join('\n');
}

/** `--remote NAME` or `-r NAME` is for us alone. It must stand before the command of `run`. */
function takeRemoteFlag(argv: string[]): { words: string[]; remoteName: string | undefined } {
  const index = argv.findIndex(
    (word) => word === '--remote' || word === '-r' || word.startsWith('--remote='),
  );
  const verbatim = argv.findIndex((word) => word === '--' || word === 'run');
  if (index === -1 || (verbatim !== -1 && index > verbatim + 1))
    return { words: argv, remoteName: undefined };
  const joined = argv[index]!.startsWith('--remote=');
  const remoteName = joined ? argv[index]!.slice('--remote='.length) : argv[index + 1];
  if (!remoteName) throw new PaasError('invalid', '--remote needs the name of a git remote.');
  return { words: argv.toSpliced(index, joined ? 1 : 2), remoteName };
}

/** A newer server may know flags that we do not: it will say what is wrong. */
function scanOrNothing(command: Command, words: string[]): Scan | undefined {
  try {
    return scanWords(command, words);
  } catch {
    return undefined;
  }
}

/** Help needs no server. */
function localAnswer(command: Command, scan: Scan | undefined): string[] | undefined {
  if (scan?.flags.has('help')) return commandHelp(command);
  if (command.name !== 'help') return undefined;
  const word = scan?.positionals[0];
  if (word === undefined) return overview(commands);
  const topic = topicHelp(word, commands);
  if (topic) return topic;
  if (!commands.some(({ name, aliases }) => name === word || aliases?.includes(word))) {
    throw new PaasError('invalid', noSuchHelp(word, commands));
  }
  return commandHelp(findCommand(word, commands));
}

interface Git {
  remotes: ReturnType<typeof parseRemotes>;
  /** What `git push` would use for ssh. */
  sshCommand: string[];
}

async function readGit(): Promise<Git> {
  const pattern = '^(remote\\..*\\.url|core\\.sshcommand)$';
  const output = await new Promise<string>((resolve) => {
    execFile('git', ['config', '--get-regexp', pattern], (_error, stdout) => resolve(stdout));
  });
  const configured = /^core\.sshcommand (.+)$/m.exec(output)?.[1];
  return {
    remotes: parseRemotes(output),
    sshCommand: parseWords(process.env.GIT_SSH_COMMAND || configured || 'ssh'),
  };
}

/** undefined: no server is known, and `version` does not need one. */
function targetOrNothing(
  { git, remoteName, appNamed }: { git: Git; remoteName: string | undefined; appNamed: boolean },
  name: string,
) {
  try {
    return resolveTarget({ env: process.env, remotes: git.remotes, remoteName, appNamed });
  } catch (error) {
    if (name === 'version') return undefined;
    throw error;
  }
}

/** What we add to the user's words: the app of the git remote, and the name typed to confirm. */
async function extraWords({
  command,
  scan,
  app,
}: {
  command: Command | undefined;
  scan: Scan | undefined;
  app: string | undefined;
}): Promise<string[]> {
  const takesApp = command?.app === 'required' || command?.app === 'optional';
  const words = takesApp && app !== undefined ? ['--default-app', app] : [];
  if (!command?.confirms || scan?.flags.has('confirm') || !process.stdin.isTTY) return words;
  const meant = scan?.flags.get('app') ?? scan?.positionals[0] ?? app;
  if (meant === undefined) return words;
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const typed = await prompt.question(
    `${command.summary}: there is no way back. To go ahead, type "${meant}": `,
  );
  prompt.close();
  return [...words, '--confirm', typed];
}

/** `input`: in place of our own standard input. */
function runSsh(
  [program = 'ssh', ...options]: string[],
  args: string[],
  { interrupted = '', input }: { interrupted: string | undefined; input: string | undefined },
): Promise<number> {
  const stdin = input === undefined ? 'inherit' : 'pipe';
  const child = spawn(program, [...options, ...args], { stdio: [stdin, 'inherit', 'inherit'] });
  // Who does not read it says why by other ways.
  child.stdin?.on('error', () => {}).end(input);
  // The terminal sends Ctrl-C to ssh as well; we stay until it has ended.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  let status = 0;
  process.on('SIGINT', () => {
    status = EXIT.interrupted;
    process.stderr.write(interrupted && `\n${interrupted}\n`);
  });
  return new Promise((resolve, reject) => {
    child.on('error', (error) =>
      reject(new PaasError('unavailable', `${program} cannot be started: ${error.message}`)),
    );
    child.on('close', (code, signal) => {
      // 255 is ssh's own failure, which it also calls an interruption.
      if (code === 255 && status !== 0) resolve(status);
      else resolve(code ?? 128 + constants.signals[signal!]);
    });
  });
}

function print(lines: string[]): number {
  process.stdout.write(`${lines.join('\n')}\n`);
  return EXIT.done;
}

function report(error: unknown): number {
  if (!(error instanceof PaasError)) throw error;
  process.stderr.write(error.message.replace(/^/gm, ' !     ').concat('\n'));
  return EXIT_OF_CODE[error.code];
}
