import type { Engine } from '../containers/engine.ts';
import type { EngineEvent } from '../containers/events.ts';
import type { Exchange } from './exchange.ts';
import { Filters } from './filters.ts';
import type { Route } from './router.ts';

/** A client that has not taken so much is cut off: it must ask anew, with `since`. */
const MAX_UNTAKEN = 1024 * 1024;

/** What happens, as it happens. */
export function eventRoutes(engine: Engine): Route[] {
  return [{ method: 'GET', pattern: '/events', handler: (exchange) => follow(engine, exchange) }];
}

function follow(engine: Engine, exchange: Exchange): void {
  const filters = new Filters(exchange.query.get('filters'));
  const since = Number(exchange.query.get('since') || Number.NaN);
  const until = Number(exchange.query.get('until') || Number.NaN);
  const output = exchange.stream('application/json');
  const write = (event: EngineEvent) => {
    if (!fits(event, filters)) return;
    output.write(`${JSON.stringify(event)}\n`);
    if (output.writableLength > MAX_UNTAKEN) output.destroy();
  };
  if (!Number.isNaN(since)) for (const event of engine.events.since(since, exchange.access)) write(event);
  const end = engine.events.subscribe(exchange.access, write);
  exchange.signal.addEventListener('abort', end, { once: true });
  if (!Number.isNaN(until)) {
    const timer = setTimeout(() => output.end(), Math.max(0, until * 1000 - Date.now()));
    exchange.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }
}

function fits(event: EngineEvent, filters: Filters): boolean {
  const { ID, Attributes } = event.Actor;
  return (
    filters.some('type', (type) => event.Type === type) &&
    filters.some('event', (action) => event.Action === action) &&
    filters.some('container', (name) => ID.startsWith(name) || Attributes.name === name) &&
    filters.some('image', (image) => Attributes.image === image) &&
    filters.labels(Attributes)
  );
}
