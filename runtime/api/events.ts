import type { Engine } from '../containers/engine.ts';
import { type EngineEvent, microsecondsAfter } from '../containers/events.ts';
import { EngineError } from '../engine-error.ts';
import { repositoryOf } from '../images/reference.ts';
import type { Exchange } from './exchange.ts';
import { Filters } from './filters.ts';
import type { Route } from './router.ts';

/** A client that has not taken so much is cut off: it must ask anew, with `since`. */
const MAX_UNTAKEN = 1024 * 1024;

/** Node's; a client that waits longer is cut off, too. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** What happens, as it happens. */
export function eventRoutes(engine: Engine): Route[] {
  return [{ method: 'GET', pattern: '/events', handler: (exchange) => follow(engine, exchange) }];
}

function follow(engine: Engine, exchange: Exchange): void {
  const filters = new Filters(exchange.query.get('filters'));
  const since = parseTime(exchange, 'since');
  const until = parseTime(exchange, 'until');
  const output = exchange.stream('application/json');
  const write = (event: EngineEvent) => {
    if (!fits(event, filters)) return;
    output.write(`${JSON.stringify(event)}\n`);
    if (output.writableLength > MAX_UNTAKEN) output.destroy();
  };
  if (!Number.isNaN(since)) {
    for (const event of engine.events.since(since, exchange.access)) {
      if (!(microsecondsAfter(until, event) > 0)) write(event);
    }
  }
  if (until * 1000 <= Date.now()) return void output.end();
  const end = engine.events.subscribe(exchange.access, write);
  exchange.signal.addEventListener('abort', end, { once: true });
  if (!Number.isNaN(until)) {
    const timer = setTimeout(() => output.end(), Math.min(until * 1000 - Date.now(), LONGEST_TIMER));
    exchange.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }
}

/** Unix seconds, with fraction; NaN: not said. Throws `invalid`. */
function parseTime(exchange: Exchange, name: string): number {
  const text = exchange.query.get(name);
  if (!text) return Number.NaN;
  if (!/^\d{1,12}(\.\d{1,9})?$/.test(text)) {
    throw new EngineError('invalid', `${name} must be seconds since 1970, e.g. 1767225600.5, not "${text}".`);
  }
  return Number(text);
}

/** By what something may be asked for; of most kinds nothing happens here. */
const KINDS = ['container', 'network', 'volume', 'daemon', 'plugin', 'service', 'node', 'secret', 'config'];

function fits(event: EngineEvent, filters: Filters): boolean {
  const { ID, Attributes } = event.Actor;
  const isIt = (kind: string) => (name: string) =>
    event.Type === kind && (ID.startsWith(name) || Attributes.name === name);
  return (
    filters.some('type', (type) => event.Type === type) &&
    filters.some('event', (action) => event.Action === action || event.Action.startsWith(`${action}: `)) &&
    KINDS.every((kind) => filters.some(kind, isIt(kind))) &&
    filters.some('image', (image) => isOfImage(event, image)) &&
    filters.some('scope', (scope) => event.scope === scope) &&
    filters.labels(Attributes)
  );
}

/** An event of the image, or of a container that was made from it; a name without a tag means all tags, as in Docker. */
function isOfImage({ Type, Actor: { ID, Attributes } }: EngineEvent, image: string): boolean {
  const name = (Type === 'image' ? Attributes.name : Attributes.image) ?? '';
  return ID === image || name === image || (name !== '' && repositoryOf(name) === image);
}
