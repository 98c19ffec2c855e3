import { once } from 'node:events';
import type { LogLine, LogQuery } from '../../../deploy/platform.ts';
import { parseAnsi, type Segment } from '../ansi.ts';
import type { Exchange } from '../exchange.ts';
import { LineBatch } from '../line-batch.ts';
import { LogCursor } from '../log-cursor.ts';

const SHOWN = 200;
const DOWNLOADED = 50_000;
/** How far back a reader who comes back can be served. */
const KEPT = 2000;

/** What goes to the viewer: `[milliseconds, 'app[web.1]', hue, segments]`. */
type ViewerLine = [at: number, who: string, hue: number, text: Segment[]];

/** The last lines; the page's script follows from there. */
export async function show(exchange: Exchange): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app'));
  const filter = parseFilter(exchange.query.get('show'));
  const cursor = new LogCursor();
  const lines: ViewerLine[] = [];
  for await (const line of exchange.platform.logs.read(app.name, { ...filter.query, lines: SHOWN })) {
    cursor.advance(line);
    lines.push(toViewer(line));
  }
  await exchange.page('logs/logs', {
    app,
    lines: lines.map(([at, who, hue, text]) => ({ at: new Date(at), who, hue, text })),
    cursor: cursor.toString(),
    filter,
    choices: choices(exchange, app.name),
    tab: 'logs',
  });
}

/** Follows from Last-Event-ID on. A `gap` event says that lines in between are no longer at hand. */
export async function stream(exchange: Exchange): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app'));
  const { query } = parseFilter(exchange.query.get('show'));
  const events = exchange.parts.streams.open(exchange.session.id, exchange);
  const from = LogCursor.parse(events.lastEventId);
  const cursor = from ?? new LogCursor();
  const isKnown = cursor.skipper();
  const batch = new LineBatch(events);
  const lines = { lines: from ? KEPT : SHOWN, follow: true, signal: events.signal };
  let first = true;
  try {
    for await (const line of exchange.platform.logs.read(app.name, { ...query, ...lines })) {
      if (first && cursor.isBefore(line)) await events.send({ event: 'gap', data: 'gap' });
      first = false;
      if (isKnown(line)) continue;
      cursor.advance(line);
      await batch.add(toViewer(line), cursor.toString());
    }
    await batch.flush();
  } finally {
    events.end();
  }
}

/** The log as a text file, one line as `paas logs` prints it. */
export async function download(exchange: Exchange): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app'));
  const { query } = parseFilter(exchange.query.get('show'));
  const { res } = exchange;
  res.set({
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Disposition': `attachment; filename="${app.name.replace(/[^a-z0-9-]/gi, '')}.log"`,
  });
  for await (const line of exchange.platform.logs.read(app.name, { ...query, lines: DOWNLOADED })) {
    if (res.destroyed) return;
    const text = `${line.at.toISOString()} ${line.source}[${line.dyno}]: ${line.text}\n`;
    if (!res.write(text)) await Promise.race([once(res, 'drain'), once(res, 'close')]);
  }
  res.end();
}

interface Filter {
  /** As in the address, e.g. `dyno:web.1`; empty for everything. */
  show: string;
  query: Pick<LogQuery, 'dyno' | 'type' | 'source'>;
  /** The same for the command, e.g. ` -d web.1`. */
  flags: string;
}

function parseFilter(show: string | null): Filter {
  const [, kind, value] = /^(dyno|type|source):([A-Za-z0-9][\w.-]{0,80})$/.exec(show ?? '') ?? [];
  if (kind === undefined || value === undefined) return { show: '', query: {}, flags: '' };
  const flag = { dyno: '-d', type: '-p', source: '-s' }[kind] ?? '';
  return { show: `${kind}:${value}`, query: { [kind]: value }, flags: ` ${flag} ${value}` };
}

function choices(exchange: Exchange, app: string) {
  const { dynos } = exchange.platform;
  return [
    { value: '', label: 'Everything' },
    { value: 'source:app', label: 'The app' },
    { value: 'source:paas', label: 'The platform' },
    { value: 'dyno:router', label: 'Requests (router)' },
    ...dynos.formation(app).map(({ type }) => ({ value: `type:${type}`, label: `All ${type} dynos` })),
    ...dynos.list(app).map(({ name }) => ({ value: `dyno:${name}`, label: name })),
  ];
}

function toViewer(line: LogLine): ViewerLine {
  const who = `${line.source}[${line.dyno}]`;
  return [line.at.getTime(), who, hue(who), parseAnsi(line.text)];
}

/** One of four colours, the same for the same name. */
function hue(name: string): number {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return sum % 4;
}
