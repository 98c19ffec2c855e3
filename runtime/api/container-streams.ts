import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { Container } from '../containers/container.ts';
import type { Engine } from '../containers/engine.ts';
import { parseStamp } from '../containers/log-record.ts';
import { EngineError } from '../engine-error.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './router.ts';
import { frame, frameStream, STDOUT } from './stream-frame.ts';

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
      handler: (exchange) => attach(find(exchange), exchange),
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
  const { Tty } = container.config.process;
  const output = exchange.stream(Tty ? RAW_STREAM : MULTIPLEXED_STREAM);
  await writeLog(container, { exchange, output, follow: exchange.flag('follow') });
  output.end();
}

async function writeLog(
  container: Container,
  options: { exchange: Exchange; output: Writable; follow: boolean },
): Promise<void> {
  const { exchange, output, follow } = options;
  const { query, signal } = exchange;
  const blocks = container.output.read({
    since: parseStamp(query.get('since')),
    until: parseStamp(query.get('until')),
    timestamps: exchange.flag('timestamps'),
    tail: parseTail(query.get('tail')),
    follow,
    signal,
  });
  for await (const block of blocks) {
    if (output.write(container.config.process.Tty ? block : frame(STDOUT, block))) continue;
    await once(output, 'drain', { signal }).catch(() => {});
  }
}

/** `all`, absent or a negative number: everything. */
function parseTail(text: string | null): number | undefined {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

async function attach(container: Container, exchange: Exchange): Promise<void> {
  // With an upgrade the body is not the stream.
  if (exchange.request.headers.upgrade) await exchange.json();
  const { Tty } = container.config.process;
  const { input, output } = exchange.hijack(Tty ? RAW_STREAM : MULTIPLEXED_STREAM);
  linger(output);
  if (exchange.flag('logs')) await writeLog(container, { exchange, output, follow: false });
  // Of a container that does not run, the next start is meant.
  if (!exchange.flag('stream')) return void output.end();
  const wantsOutput = exchange.flag('stdout') || exchange.flag('stderr');
  if (wantsOutput)
    container.output.attach(Tty ? output : frameStream(STDOUT, output).once('finish', () => output.end()));
  if (exchange.flag('stdin') && container.stdin) connectStdin(container, input);
  else input.resume();
}

/** With StdinOnce the process's stdin ends with the client's. */
function connectStdin(container: Container, input: Readable): void {
  const stdin = container.stdin!;
  const { StdinOnce } = container.config.process;
  stdin.on('error', () => {});
  input.pipe(stdin, { end: StdinOnce });
  if (StdinOnce) input.once('close', () => stdin.end());
}
