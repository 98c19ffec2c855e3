import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { AttachedClient } from '../containers/client-feed.ts';
import type { Container } from '../containers/container.ts';
import { publishContainerEvent } from '../containers/container-events.ts';
import { parseDetachKeys, UntilDetached } from '../containers/detach-keys.ts';
import type { Engine } from '../containers/engine.ts';
import { parseStamp } from '../containers/log-record.ts';
import { diskTrouble } from '../disk-trouble.ts';
import { EngineError } from '../engine-error.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './router.ts';
import { frame, frameStream, STDERR, STDOUT, SYSTEM_ERROR } from './stream-frame.ts';
import { acceptWebSocket } from './web-socket.ts';

/** Streams of a terminal come as they are, others in frames. */
export const RAW_STREAM = 'application/vnd.docker.raw-stream';
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';

/** After we have ended our side of a connection, the client has so long to end its own. */
const LINGER_MILLISECONDS = 10_000;

/** Containers: what they write and read. */
export function containerStreamRoutes(engine: Engine): Route[] {
  const find = (exchange: Exchange) => engine.find(exchange.params.id!, exchange.access);
  return [
    {
      method: 'GET',
      pattern: '/containers/{id}/logs',
      handler: (exchange) => logs(find(exchange), exchange),
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/attach',
      handler: (exchange) => attach(engine, find(exchange), exchange),
    },
    {
      method: 'GET',
      pattern: '/containers/{id}/attach/ws',
      handler: (exchange) => attachWebSocket(engine, find(exchange), exchange),
    },
  ];
}

/** Ends the connection soon after our side of it, even if the client keeps its own open. */
export function linger(output: Writable): void {
  output.once('finish', () => setTimeout(() => output.destroy(), LINGER_MILLISECONDS).unref());
}

async function logs(container: Container, exchange: Exchange): Promise<void> {
  if (!exchange.flag('stdout') && !exchange.flag('stderr')) {
    throw new EngineError('invalid', 'Bad parameters: you must choose at least one stream');
  }
  const isFramed = !container.config.process.Tty;
  const output = exchange.stream(isFramed ? MULTIPLEXED_STREAM : RAW_STREAM);
  try {
    await writeLog(container, { exchange, output, isFramed, follow: exchange.flag('follow') });
    output.end();
  } catch (error) {
    endWithNotice(output, error, isFramed);
  }
}

/** The head of the answer is out. */
function endWithNotice(output: Writable, error: unknown, isFramed: boolean): void {
  const notice = Buffer.from(`The log cannot be read. ${inWords(error)}`);
  output.end(isFramed ? frame(SYSTEM_ERROR, notice) : `\r\npaas: ${notice}\r\n`);
}

function inWords(error: unknown): string {
  const trouble = diskTrouble(error);
  if (!trouble) console.error('A log cannot be read:', error);
  return trouble ?? (error as Error).message;
}

async function writeLog(
  container: Container,
  options: { exchange: Exchange; output: Writable; isFramed: boolean; follow: boolean },
): Promise<void> {
  const { exchange, output, isFramed, follow } = options;
  const { query, signal } = exchange;
  const pieces = container.output.read({
    since: parseStamp(query.get('since')),
    until: parseStamp(query.get('until')),
    timestamps: exchange.flag('timestamps'),
    details: exchange.flag('details'),
    tail: parseTail(query.get('tail')),
    sources: [
      ...(exchange.flag('stdout') ? [0 as const] : []),
      ...(exchange.flag('stderr') ? [1 as const] : []),
    ],
    follow,
    signal,
  });
  for await (const { source, text } of pieces) {
    if (output.write(isFramed ? frame(source === 0 ? STDOUT : STDERR, text) : text)) continue;
    await once(output, 'drain', { signal }).catch(() => {});
  }
}

/** `all`, absent or a negative number: everything. */
function parseTail(text: string | null): number | undefined {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

async function attach(engine: Engine, container: Container, exchange: Exchange): Promise<void> {
  const keys = parseDetachKeys(exchange.query.get('detachKeys') ?? '');
  // With an upgrade the body is not the stream.
  if (exchange.request.headers.upgrade) await exchange.json();
  const isFramed = !container.config.process.Tty;
  const streams = exchange.hijack(isFramed ? MULTIPLEXED_STREAM : RAW_STREAM);
  await connect(engine, container, { exchange, keys, isFramed, ...streams });
}

/** Without frames: a web socket's messages are text or bytes as they come. */
async function attachWebSocket(engine: Engine, container: Container, exchange: Exchange): Promise<void> {
  const keys = parseDetachKeys(exchange.query.get('detachKeys') ?? '');
  const streams = acceptWebSocket(exchange);
  await connect(engine, container, { exchange, keys, isFramed: false, ...streams });
}

interface Connection {
  exchange: Exchange;
  keys: number[];
  isFramed: boolean;
  input: Readable;
  output: Writable;
}

/** Of a container that does not run, the next start is meant. */
async function connect(engine: Engine, container: Container, connection: Connection): Promise<void> {
  const { exchange, input, output, isFramed } = connection;
  linger(output);
  try {
    if (exchange.flag('logs')) await writeLog(container, { ...connection, follow: false });
  } catch (error) {
    return endWithNotice(output, error, isFramed);
  }
  // Who hung up meanwhile says so only once, and would be waited for.
  if (exchange.signal.aborted) return;
  if (!exchange.flag('stream')) return void output.end();
  if (exchange.flag('stdout') || exchange.flag('stderr')) connectOutput(container, connection);
  if (!exchange.flag('stdin') || !container.stdin) return void input.resume();
  const detached = connectStdin(container, connection);
  detached?.once('detach', () => {
    output.end();
    publishContainerEvent(engine.events, container, { action: 'detach' });
  });
}

function connectOutput(container: Container, { exchange, isFramed, output }: Connection): void {
  const drop = (reason: string) => {
    const notice = Buffer.from(`\r\npaas: ${reason}\r\n`);
    output.end(isFramed ? frame(STDERR, notice) : notice);
    // It may not even take that.
    setTimeout(() => output.destroy(), LINGER_MILLISECONDS).unref();
  };
  const client = (flag: string, stream: Writable): AttachedClient | undefined =>
    exchange.flag(flag) ? { stream, drop } : undefined;
  if (!isFramed) {
    container.output.attach({
      stdout: client('stdout', output) ?? client('stderr', output),
      stderr: undefined,
    });
    return;
  }
  const clients = {
    stdout: client('stdout', frameStream(STDOUT, output)),
    stderr: client('stderr', frameStream(STDERR, output)),
  };
  endWithAll(
    output,
    Object.values(clients).flatMap((each) => each?.stream ?? []),
  );
  container.output.attach(clients);
}

function endWithAll(output: Writable, streams: Writable[]): void {
  let left = streams.length;
  for (const stream of streams) {
    stream.once('finish', () => {
      left--;
      if (left === 0) output.end();
    });
  }
}

/** With StdinOnce the process's stdin ends with the client's. Who leaves a terminal by the detach keys ends nothing. */
function connectStdin(container: Container, { input, keys }: Connection): UntilDetached | undefined {
  const stdin = container.stdin!;
  const { StdinOnce, Tty } = container.config.process;
  stdin.on('error', () => {});
  const typed = Tty ? input.pipe(new UntilDetached(keys)) : input;
  typed.pipe(stdin, { end: StdinOnce && !Tty });
  input.once('close', () => {
    typed.unpipe(stdin);
    if (StdinOnce && !Tty) stdin.end();
  });
  return typed instanceof UntilDetached ? typed : undefined;
}
