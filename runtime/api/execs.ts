import type { Engine } from '../containers/engine.ts';
import { type Exec, type ExecStreams, type Execs, parseSize } from '../containers/execs.ts';
import { RequestFields } from '../containers/request-fields.ts';
import { linger, MULTIPLEXED_STREAM, RAW_STREAM } from './container-streams.ts';
import { sizeOf } from './containers.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './router.ts';
import { frameStream, STDERR, STDOUT } from './stream-frame.ts';

/** Further processes in running containers. */
export function execRoutes(engine: Engine, execs: Execs): Route[] {
  const find = (exchange: Exchange) => execs.find(exchange.params.id!, exchange.access);
  return [
    {
      method: 'POST',
      pattern: '/containers/{id}/exec',
      handler: async (exchange) => {
        const container = engine.find(exchange.params.id!, exchange.access);
        exchange.send(201, { Id: execs.create(container, await exchange.json()).id });
      },
    },
    {
      method: 'POST',
      pattern: '/exec/{id}/start',
      handler: (exchange) => start(execs, find(exchange), exchange),
    },
    {
      method: 'POST',
      pattern: '/exec/{id}/resize',
      handler: (exchange) => {
        execs.resize(find(exchange), sizeOf(exchange));
        exchange.send(200);
      },
    },
    {
      method: 'GET',
      pattern: '/exec/{id}/json',
      handler: (exchange) => exchange.send(200, view(find(exchange))),
    },
  ];
}

async function start(execs: Execs, exec: Exec, exchange: Exchange): Promise<void> {
  const fields = new RequestFields((await exchange.json()) ?? {});
  exec.size = parseSize(fields.raw('ConsoleSize')) ?? exec.size;
  if (fields.boolean('Detach')) {
    await execs.start(exec, () => undefined);
    return exchange.send(200);
  }
  let streams: ExecStreams | undefined;
  const connect = () => {
    // Who hung up meanwhile says so only once, and the process would wait for it.
    if (exchange.signal.aborted) return undefined;
    streams = connectClient(exec, exchange);
    return streams;
  };
  try {
    await execs.start(exec, connect);
  } catch (error) {
    const { exitCode, message } = error as { exitCode?: number; message: string };
    if (streams || exitCode === undefined) throw error;
    // Docker says so in the output, as its client shows no other answer: it then asks for the exit code.
    const said = connect();
    said?.stdout.write(`${message}\r\n`);
    said?.end();
  }
}

function connectClient(exec: Exec, exchange: Exchange): ExecStreams {
  const { input, output } = exchange.hijack(exec.tty ? RAW_STREAM : MULTIPLEXED_STREAM);
  linger(output);
  if (!exec.stdin) input.resume();
  const stdin = exec.stdin ? input : undefined;
  if (exec.tty) return { input: stdin, stdout: output, stderr: output, end: () => output.end() };
  const [stdout, stderr] = [frameStream(STDOUT, output), frameStream(STDERR, output)];
  const end = () => stdout.end(() => stderr.end(() => output.end()));
  return { input: stdin, stdout, stderr, end };
}

function view(exec: Exec): object {
  const [entrypoint, ...args] = exec.args;
  return {
    ID: exec.id,
    ContainerID: exec.container.id,
    Running: exec.state === 'running',
    ExitCode: exec.exitCode ?? null,
    Pid: exec.pid,
    OpenStdin: exec.stdin,
    OpenStdout: true,
    OpenStderr: true,
    CanRemove: false,
    DetachKeys: exec.detachKeys,
    ProcessConfig: { tty: exec.tty, entrypoint, arguments: args, user: exec.user, privileged: false },
  };
}
