import { LineSplitter } from '../../../deploy/model/line-splitter.ts';
import { PaasError } from '../../../deploy/model/paas-error.ts';
import type { BuildView } from '../../../deploy/platform.ts';
import { parseAnsi } from '../ansi.ts';
import { tryChange } from '../change.ts';
import type { Exchange } from '../exchange.ts';
import { LineBatch } from '../line-batch.ts';
import { streamLive } from '../live.ts';

const SHOWN = 50;
const LINES_SHOWN = 2000;

export async function showQueue(exchange: Exchange): Promise<void> {
  await exchange.page('builds/queue', queue(exchange));
}

export async function streamQueue(exchange: Exchange): Promise<void> {
  await streamLive(exchange, { template: 'builds/queue-live', data: () => queue(exchange) });
}

export async function showOfApp(exchange: Exchange): Promise<void> {
  await exchange.page('builds/list', { ...ofApp(exchange), tab: 'builds' });
}

export async function streamOfApp(exchange: Exchange): Promise<void> {
  await streamLive(exchange, { template: 'builds/list-live', data: () => ofApp(exchange) });
}

/** A build with the end of its output so far; the page's script follows what comes after that. */
export async function show(exchange: Exchange): Promise<void> {
  const { app, build } = find(exchange);
  const finished = isFinished(build);
  const { lines, count } = await outputSoFar(exchange, { id: build.id, finished });
  await exchange.page('builds/build', {
    app,
    build,
    lines: lines.map(parseAnsi),
    count,
    finished,
    ahead: build.ahead ?? 0,
    tab: 'builds',
  });
}

/** Lines from the one after Last-Event-ID on; then an `end` event, and a reader who knows everything gets only that. */
export async function streamOutput(exchange: Exchange): Promise<void> {
  const { build } = find(exchange);
  const stream = exchange.parts.streams.open(exchange.session.id, exchange);
  const seen = Number(/^\d{1,9}$/.exec(stream.lastEventId ?? '')?.[0] ?? 0);
  const batch = new LineBatch(stream);
  const splitter = new LineSplitter();
  let number = 0;
  const take = async (line: string) => {
    if (++number > seen) await batch.add(parseAnsi(line), String(number));
  };
  try {
    const output = exchange.platform.builds.output(build.id, { follow: true, signal: stream.signal });
    for await (const chunk of output) for (const line of splitter.push(chunk)) await take(line);
    for (const line of splitter.flush()) await take(line);
    await batch.flush();
    await stream.send({ event: 'end', data: 'end' });
  } finally {
    stream.end();
  }
}

export async function cancel(exchange: Exchange): Promise<void> {
  const { app, build } = find(exchange);
  await tryChange(
    async () => {
      await exchange.platform.builds.cancel(build.id, exchange.user);
      exchange.tell('done', `Cancelled build #${build.id}.`);
    },
    async (problem) => exchange.tell('failed', problem.message),
  );
  exchange.see(`/apps/${encodeURIComponent(app.name)}/builds/${build.id}`);
}

function find(exchange: Exchange) {
  const app = exchange.platform.apps.find(exchange.param('app'));
  const id = exchange.param('id');
  const build = /^\d{1,9}$/.test(id) ? exchange.platform.builds.find(Number(id)) : undefined;
  if (build?.app !== app.name) throw new PaasError('not_found', `${app.name} has no such build.`);
  return { app, build };
}

/** The last lines, and how many there are in all. A line without its end counts when the build is finished. */
async function outputSoFar(
  exchange: Exchange,
  { id, finished }: { id: number; finished: boolean },
): Promise<{ lines: string[]; count: number }> {
  const splitter = new LineSplitter();
  let lines: string[] = [];
  let count = 0;
  const take = (more: string[]) => {
    count += more.length;
    lines = [...lines, ...more].slice(-LINES_SHOWN);
  };
  for await (const chunk of exchange.platform.builds.output(id)) take(splitter.push(chunk));
  if (finished) take(splitter.flush());
  return { lines, count };
}

function isFinished(build: BuildView): boolean {
  return build.state !== 'queued' && build.state !== 'building';
}

function queue(exchange: Exchange) {
  const { builds, pushes } = exchange.platform;
  return { builds: builds.list().slice(0, SHOWN), waiting: pushes.waiting() };
}

function ofApp(exchange: Exchange) {
  const app = exchange.platform.apps.find(exchange.param('app'));
  const { builds, pushes } = exchange.platform;
  return { app, builds: builds.list(app.name).slice(0, SHOWN), waiting: pushes.waiting(app.name) };
}
