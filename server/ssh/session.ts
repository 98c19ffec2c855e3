import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { PseudoTtyInfo, ServerChannel, Session } from 'ssh2';
import { commands } from '../commands/all-commands.ts';
import type {
  Caller,
  ClientStreams,
  ClientTerminal,
  CommandServices,
  TerminalSize,
} from '../commands/command.ts';
import { EXIT } from '../commands/exit-status.ts';
import { commandWord, findCommand } from '../commands/grammar.ts';
import { Output } from '../commands/output.ts';
import { reportFailure, runCommand } from '../commands/run-command.ts';
import { parseWords } from '../commands/shell-words.ts';
import { welcome } from '../commands/welcome.ts';
import { ChannelOutput } from './channel-output.ts';
import { isGitCommand, parseGitCommand } from './git-command.ts';

/** Signals that a client may send on (RFC 4254 section 6.9), without SIG. */
const SIGNALS = new Set(['HUP', 'INT', 'QUIT', 'TERM', 'KILL', 'USR1', 'USR2', 'ALRM', 'PIPE']);

export interface SessionOptions {
  caller: Caller;
  services: CommandServices;
  socket: Socket;
  /** Aborted when the connection has gone. */
  connectionGone: AbortSignal;
}

/** What the client asked for before its command started, and tells us while it runs. */
interface Requests {
  terminal: { term: string; size: TerminalSize } | undefined;
  gitProtocol: string | undefined;
  /** `resize` with a TerminalSize, `signal` with a name. */
  events: EventEmitter;
}

/**
 * One session channel: at most one command, git service or welcome on it. There is no shell, no subsystem, no forwarding:
 * ssh2 refuses whatever nobody listens for.
 */
export function serveSession(session: Session, options: SessionOptions): void {
  const requests: Requests = { terminal: undefined, gitProtocol: undefined, events: new EventEmitter() };
  const gone = new AbortController();
  options.connectionGone.addEventListener('abort', () => gone.abort(), { once: true });
  session.on('close', () => gone.abort());
  takeRequests(session, requests);
  const start = (channel: ServerChannel | undefined, command: string | undefined) => {
    if (channel) void serve({ channel, command, requests, signal: gone.signal, ...options });
  };
  session.on('shell', (accept) => start(accept(), undefined));
  session.on('exec', (accept, _reject, { command }) => start(accept(), command));
}

function takeRequests(session: Session, requests: Requests): void {
  session.on('pty', (accept, _reject, info) => {
    requests.terminal = { term: termName(info), size: terminalSize(info) };
    accept?.();
  });
  session.on('window-change', (accept, _reject, info) => {
    const size = terminalSize(info);
    if (requests.terminal) requests.terminal.size = size;
    requests.events.emit('resize', size);
    accept?.();
  });
  session.on('signal', (accept, _reject, { name }) => {
    const plain = String(name).replace(/^SIG/, '');
    if (SIGNALS.has(plain)) requests.events.emit('signal', `SIG${plain}`);
    accept?.();
  });
  session.on('env', (accept, reject, { key, val }) => {
    // Git's protocol version is all that a client may set; the rest, LD_PRELOAD or GIT_SSH or LANG, goes nowhere.
    if (key === 'GIT_PROTOCOL' && /^version=[0-2]$/.test(val)) {
      requests.gitProtocol = val;
      accept?.();
    } else {
      reject?.();
    }
  });
}

interface Work extends SessionOptions {
  channel: ServerChannel;
  /** undefined: a shell was asked for. */
  command: string | undefined;
  requests: Requests;
  /** Aborted when the client has gone. */
  signal: AbortSignal;
}

/** Runs what was asked, sends everything that it said, then its exit status, then closes: in that order. */
async function serve(work: Work): Promise<void> {
  const { channel, services, signal, socket } = work;
  const output = new ChannelOutput(channel, socket);
  signal.addEventListener('abort', () => output.close(), { once: true });
  if (signal.aborted) output.close();
  channel.on('error', () => {});
  let status: number;
  try {
    status = await carryOut(work, output);
  } catch (error) {
    services.log('An SSH session failed unexpectedly.', error);
    status = EXIT.failed;
  }
  await output.flush();
  if (signal.aborted) return;
  channel.exit(status & 0xff);
  channel.end();
  channel.resume();
}

function carryOut(work: Work, output: ChannelOutput): Promise<number> {
  const { command, requests, signal } = work;
  if (command !== undefined && isGitCommand(command)) return serveGit({ ...work, command }, output);
  const words = command?.trim() ?? '';
  // A terminal makes the client's keyboard raw: for commands that do not pass it on, line ends and Ctrl-C are ours.
  const passesOn = requests.terminal !== undefined && runsOnTerminal(words);
  const raw = requests.terminal !== undefined && !passesOn;
  const client: ClientStreams = {
    stdin: work.channel,
    out: new Output({ stdout: output.stdout, stderr: output.stderr, terminal: raw }),
    terminal: requests.terminal && clientTerminal(requests.terminal, requests.events),
    signal: raw ? interruptible(work.channel, { signal, events: requests.events }) : signal,
    onSignal: (listener) => void requests.events.on('signal', listener),
  };
  if (words === '') return greet(client, work);
  return runCommand(words, { caller: work.caller, client, services: work.services });
}

async function greet(client: ClientStreams, { caller, services }: Work): Promise<number> {
  try {
    client.out.lines(welcome(caller, services.platform.apps.list(), services.sshAddress()));
    return EXIT.done;
  } catch (error) {
    return reportFailure(error, { client, services });
  }
}

async function serveGit(work: Work & { command: string }, output: ChannelOutput): Promise<number> {
  const { services, caller, requests, signal } = work;
  const out = new Output(output);
  try {
    const { service, app } = parseGitCommand(work.command);
    const streams = { stdin: work.channel, stdout: output.stdout, stderr: output.stderr };
    const protocol = requests.gitProtocol === undefined ? {} : { protocol: requests.gitProtocol };
    return await services.platform.pushes[service](app, { user: caller.user, streams, signal, ...protocol });
  } catch (error) {
    return reportFailure(error, { client: { out, signal }, services });
  }
}

/** Aborts at Ctrl-C too: as a byte from the keyboard, or as a signal. */
function interruptible(
  stdin: ServerChannel,
  { signal, events }: { signal: AbortSignal; events: EventEmitter },
): AbortSignal {
  const interrupted = new AbortController();
  stdin.on('data', (chunk: Buffer) => {
    if (chunk.includes(3)) interrupted.abort();
  });
  events.on('signal', () => interrupted.abort());
  return AbortSignal.any([signal, interrupted.signal]);
}

function runsOnTerminal(line: string): boolean {
  try {
    return findCommand(commandWord(parseWords(line)), commands).terminal === true;
  } catch {
    return false; // running it will say what is wrong
  }
}

function clientTerminal(
  { term, size }: { term: string; size: TerminalSize },
  events: EventEmitter,
): ClientTerminal {
  return { term, size, onResize: (listener) => void events.on('resize', listener) };
}

function terminalSize(info: { rows: number; cols: number }): TerminalSize {
  const within = (value: number, fallback: number) =>
    value >= 1 && value <= 4096 ? Math.floor(value) : fallback;
  return { rows: within(info.rows, 24), columns: within(info.cols, 80) };
}

function termName(info: PseudoTtyInfo): string {
  const term = String((info as { term?: unknown }).term ?? '');
  return /^[A-Za-z0-9][A-Za-z0-9+._-]{0,63}$/.test(term) ? term : 'xterm';
}
