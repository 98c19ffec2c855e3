import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { EngineError } from '../engine-error.ts';
import type { Container } from './container.ts';
import type { Access } from './container-config.ts';
import { publishContainerEvent } from './container-events.ts';
import type { Descriptors } from './descriptors.ts';
import { parseDetachKeys, UntilDetached } from './detach-keys.ts';
import type { Engine } from './engine.ts';
import { execSpec } from './exec-spec.ts';
import { KILLED } from './exits.ts';
import type { ExecProcess, ExecSpec, TerminalSize } from './kernel.ts';
import { RequestFields } from './request-fields.ts';
import { TerminalStream } from './terminal-stream.ts';

/** How long the exit code of one that has ended can be asked for. */
const REMEMBERED_MILLISECONDS = 5 * 60_000;
const MAX_EXECS = 4096;
const TOLD_OF_COMMAND = 1024;
/** How long output may still come after the end: something in the background may hold the pipe open. */
const OUTPUT_END_MILLISECONDS = 200;

/** Another process in a running container, asked for by one request and started by a second. */
export interface Exec {
  /** 64 hex digits. */
  id: string;
  container: Container;
  args: string[];
  env: string[];
  workingDir: string;
  user: string;
  tty: boolean;
  stdin: boolean;
  /** As asked for; empty: Docker's default. */
  detachKeys: string;
  state: 'created' | 'running' | 'exited';
  pid: number;
  exitCode: number | undefined;
  terminal: TerminalStream | undefined;
  size: TerminalSize;
}

/** Where the streams of a process go; without terminal `stdout` and `stderr` are apart. */
export interface ExecStreams {
  input: Readable | undefined;
  stdout: Writable;
  stderr: Writable;
  /** Nothing more will come. */
  end(): void;
}

interface Pipes {
  stdio: { stdin: number | undefined; stdout: number; stderr: number };
  /** Our ends. */
  input: number | undefined;
  stdout: number;
  stderr: number;
}

/** The execs of all containers; they end with this process's knowledge of them. */
export class Execs {
  readonly #engine: Engine;
  readonly #descriptors: Descriptors;
  readonly #execs = new Map<string, Exec>();

  constructor(engine: Engine, descriptors: Descriptors) {
    this.#engine = engine;
    this.#descriptors = descriptors;
  }

  /** `body` as of `POST /containers/{id}/exec`. Throws `conflict` if the container does not run, `invalid`. */
  create(container: Container, body: unknown): Exec {
    requireRunning(container);
    if (this.#execs.size >= MAX_EXECS) throw new EngineError('unavailable', 'Too many execs at once.');
    const fields = new RequestFields(body);
    if (fields.boolean('Privileged'))
      throw new EngineError('invalid', 'This runtime has no privileged processes.');
    const args = fields.strings('Cmd');
    if (args.length === 0) throw new EngineError('invalid', 'No exec command specified.');
    const exec: Exec = {
      id: randomBytes(32).toString('hex'),
      container,
      args,
      env: fields.strings('Env'),
      workingDir: fields.string('WorkingDir'),
      user: fields.string('User') || container.config.process.User,
      tty: fields.boolean('Tty'),
      stdin: fields.boolean('AttachStdin'),
      detachKeys: fields.string('DetachKeys'),
      state: 'created',
      pid: 0,
      exitCode: undefined,
      terminal: undefined,
      size: parseSize(fields.raw('ConsoleSize')) ?? { rows: 24, columns: 80 },
    };
    parseDetachKeys(exec.detachKeys);
    this.#engine.launcher.userOf(container.config, exec.user);
    this.#execs.set(exec.id, exec);
    this.#publish(exec, `exec_create: ${commandOf(exec)}`);
    return exec;
  }

  /** Throws `not_found`, also for one that `access` may not see. */
  find(id: string, access: Access): Exec {
    const exec = this.#execs.get(id);
    if (!exec || (access === 'platform' && exec.container.config.origin !== 'platform')) {
      throw new EngineError('not_found', `No such exec instance: ${id}`);
    }
    return exec;
  }

  /** Those of the container that have not ended. */
  idsOf(container: Container): string[] {
    if (!container.running) return [];
    const live = [...this.#execs.values()].filter((exec) => exec.state !== 'exited');
    return live.filter((exec) => exec.container === container).map(({ id }) => id);
  }

  /** Starts it; `connect` is called once it runs and says where its streams go (undefined: nowhere). */
  async start(exec: Exec, connect: () => ExecStreams | undefined): Promise<void> {
    if (exec.state !== 'created')
      throw new EngineError('conflict', `Exec ${exec.id} has been started already.`);
    requireRunning(exec.container);
    exec.state = 'running';
    try {
      this.#publish(exec, `exec_start: ${commandOf(exec)}`);
      if (exec.tty) await this.#startInTerminal(exec, connect);
      else await this.#startWithPipes(exec, connect);
    } catch (error) {
      exec.state = 'exited';
      exec.exitCode = (error as { exitCode?: number }).exitCode === 127 ? 127 : 126;
      this.#forgetLater(exec);
      throw error;
    }
  }

  resize(exec: Exec, size: TerminalSize): void {
    exec.size = size;
    exec.terminal?.resize(size, this.#descriptors.resizeTerminal);
  }

  async #startInTerminal(exec: Exec, connect: () => ExecStreams | undefined): Promise<void> {
    const process = await this.#run(exec, { terminal: exec.size });
    const terminal = new TerminalStream(process.terminal!);
    exec.terminal = terminal;
    const streams = connect();
    if (streams) {
      pipeUntilClosed(terminal, streams.stdout);
      if (streams.input) pipeUntilDetached(streams.input, { terminal, exec, leave: streams.end });
    } else terminal.resume();
    this.#follow(exec, { process, outputs: [terminal], streams });
  }

  async #startWithPipes(exec: Exec, connect: () => ExecStreams | undefined): Promise<void> {
    const pipes = this.#openPipes(exec);
    let process: ExecProcess;
    try {
      process = await this.#run(exec, pipes.stdio);
    } catch (error) {
      for (const fd of [pipes.input, pipes.stdout, pipes.stderr]) if (fd !== undefined) closeSync(fd);
      throw error;
    } finally {
      const { stdin, stdout, stderr } = pipes.stdio;
      for (const fd of [stdin, stdout, stderr]) if (fd !== undefined) closeSync(fd);
    }
    const streams = connect();
    const stdout = readEnd(pipes.stdout, streams?.stdout);
    const stderr = readEnd(pipes.stderr, streams?.stderr);
    if (pipes.input !== undefined) writeEnd(pipes.input, streams?.input);
    this.#follow(exec, { process, outputs: [stdout, stderr], streams });
  }

  #openPipes(exec: Exec): Pipes {
    const stdout = this.#descriptors.openPipe();
    const stderr = this.#descriptors.openPipe();
    const input = exec.stdin ? this.#descriptors.openPipe() : { read: undefined, write: undefined };
    return {
      stdio: { stdin: input.read, stdout: stdout.write, stderr: stderr.write },
      input: input.write,
      stdout: stdout.read,
      stderr: stderr.read,
    };
  }

  async #run(exec: Exec, stdio: ExecSpec['stdio']): Promise<ExecProcess> {
    const { config } = exec.container;
    const user = this.#engine.launcher.userOf(config, exec.user);
    const defaults = exec.tty ? ['TERM=xterm'] : [];
    const { args, workingDir } = exec;
    const spec = execSpec(config, user, { args, env: [...defaults, ...exec.env], workingDir, stdio });
    const process = await this.#engine.kernel.exec(exec.container.id, spec);
    exec.pid = process.pid;
    return process;
  }

  #follow(
    exec: Exec,
    running: { process: ExecProcess; outputs: Readable[]; streams: ExecStreams | undefined },
  ): void {
    const { process, outputs, streams } = running;
    process.exited
      .catch(() => KILLED)
      .then(async (code) => {
        await Promise.race([Promise.all(outputs.map(closed)), silence(outputs, OUTPUT_END_MILLISECONDS)]);
        exec.exitCode = code;
        exec.state = 'exited';
        streams?.end();
        for (const output of outputs) output.destroy();
        this.#publish(exec, 'exec_die', { exitCode: String(code) });
        this.#forgetLater(exec);
      });
  }

  #publish(exec: Exec, action: string, attributes: Record<string, string> = {}): void {
    publishContainerEvent(this.#engine.events, exec.container, {
      action,
      attributes: { execID: exec.id, ...attributes },
    });
  }

  #forgetLater(exec: Exec): void {
    setTimeout(() => this.#execs.delete(exec.id), REMEMBERED_MILLISECONDS).unref();
  }
}

/** As events tell it; they are remembered, and nobody's command may be what takes the memory. */
function commandOf({ args }: Exec): string {
  return args.join(' ').slice(0, TOLD_OF_COMMAND);
}

function requireRunning(container: Container): void {
  const { status } = container.state;
  if (status === 'running') return;
  const what = container.running || container.restarting ? `is ${status}` : 'is not running';
  throw new EngineError('conflict', `Container ${container.id} ${what}.`);
}

/** `[rows, columns]`, as the Engine API has it. */
export function parseSize(value: unknown): TerminalSize | undefined {
  if (!Array.isArray(value)) return undefined;
  const [rows, columns] = value.map(Number);
  return rows! > 0 && columns! > 0 && rows! < 65536 && columns! < 65536
    ? { rows: rows!, columns: columns! }
    : undefined;
}

function readEnd(fd: number, target: Writable | undefined): Socket {
  const socket = new Socket({ fd, readable: true, writable: false });
  socket.on('error', () => {});
  if (target) pipeUntilClosed(socket, target);
  else socket.resume();
  return socket;
}

/** Who leaves by the detach keys leaves the process running. */
function pipeUntilDetached(
  input: Readable,
  to: { terminal: TerminalStream; exec: Exec; leave: () => void },
): void {
  const typed = input.pipe(new UntilDetached(parseDetachKeys(to.exec.detachKeys)));
  typed.pipe(to.terminal, { end: false });
  typed.once('detach', to.leave);
}

/** When the client is gone the process must not wait for it: what it still writes is dropped. */
function pipeUntilClosed(source: Readable, target: Writable): void {
  source.pipe(target, { end: false });
  target.once('close', () => source.resume());
}

function writeEnd(fd: number, source: Readable | undefined): void {
  const socket = new Socket({ fd, readable: false, writable: true });
  // EPIPE: the process does not read any more.
  socket.on('error', () => source?.resume());
  if (source) source.pipe(socket);
  else socket.end();
}

function closed(stream: Readable): Promise<void> {
  if (stream.closed || stream.readableEnded) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once('end', resolve);
    stream.once('close', resolve);
  });
}

/** When nothing more has come for so long. A client that reads slowly keeps it waiting, for there is more to come. */
async function silence(streams: Readable[], milliseconds: number): Promise<void> {
  let last = performance.now();
  const note = () => {
    last = performance.now();
  };
  for (const stream of streams) stream.on('data', note);
  while (performance.now() - last < milliseconds || streams.some((stream) => stream.isPaused())) {
    await new Promise((resolve) => setTimeout(resolve, milliseconds / 4));
    if (streams.every((stream) => stream.closed)) return;
  }
}
