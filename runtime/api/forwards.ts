import type { Access } from '../containers/container-config.ts';
import type { Engine } from '../containers/engine.ts';
import { RequestFields } from '../containers/request-fields.ts';
import { EngineError } from '../engine-error.ts';
import type { Forward } from '../network/port-forwards.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './router.ts';

const MOST_FORWARDS = 1000;
const MOST_TARGETS = 1000;

/**
 * Ports of the host that lead to containers as they come and go; no part of Docker's API, whose published ports are one container's for
 * its life.
 *
 *   POST /forwards   {"Forwards":[{"Protocol":"tcp","Port":5432,"Targets":[{"Container":id,"Port":5432}]}]}: in the place of the last
 *                    → 200 {"Refused":[{"Protocol","Port","Reason"}]}: ports that somebody else has; the others are in effect
 *   GET  /forwards   → 200 {"Forwards":[…]}
 */
export function forwardRoutes(engine: Engine): Route[] {
  return [
    { method: 'GET', pattern: '/forwards', handler: (exchange) => list(engine, exchange) },
    { method: 'POST', pattern: '/forwards', handler: (exchange) => set(engine, exchange) },
  ];
}

/** Reads the body of `POST /forwards`. Throws `invalid`. */
export function parseForwards(body: unknown): Forward[] {
  const forwards = new RequestFields(body).objects('Forwards').map(parseForward);
  const ports = new Set(forwards.map(({ protocol, hostPort }) => `${hostPort}/${protocol}`));
  if (ports.size < forwards.length) throw new EngineError('invalid', 'A port stands in Forwards twice.');
  if (forwards.length > MOST_FORWARDS) throw new EngineError('invalid', 'There are too many Forwards.');
  return forwards;
}

function parseForward(fields: RequestFields): Forward {
  const protocol = fields.string('Protocol');
  if (protocol !== 'tcp' && protocol !== 'udp')
    throw new EngineError('invalid', `Protocol "${protocol}" is neither tcp nor udp.`);
  const targets = fields.objects('Targets');
  if (targets.length > MOST_TARGETS) throw new EngineError('invalid', 'There are too many Targets.');
  return {
    protocol,
    hostPort: parsePort(fields),
    targets: targets.map((target) => ({ container: target.string('Container'), port: parsePort(target) })),
  };
}

function parsePort(fields: RequestFields): number {
  const port = fields.integer('Port', { min: 1, max: 65_535 });
  if (port === 0) throw new EngineError('invalid', 'Port must be from 1 to 65535.');
  return port;
}

function list(engine: Engine, exchange: Exchange): void {
  const Forwards = engine.forwards.all.map(({ protocol, hostPort, targets }) => ({
    Protocol: protocol,
    Port: hostPort,
    Targets: targets.map(({ container, port }) => ({ Container: container, Port: port })),
  }));
  exchange.send(200, { Forwards });
}

async function set(engine: Engine, exchange: Exchange): Promise<void> {
  const forwards = parseForwards(await exchange.json()).map((forward) => ({
    ...forward,
    targets: forward.targets.filter(({ container }) => isThere(engine, container, exchange.access)),
  }));
  const refused = await engine.forwards.set(forwards);
  const Refused = refused.map(({ protocol, hostPort, reason }) => {
    return { Protocol: protocol, Port: hostPort, Reason: reason };
  });
  exchange.send(200, { Refused });
}

/** One may have been removed a moment ago, which is no reason to refuse the others. */
function isThere(engine: Engine, id: string, access: Access): boolean {
  return engine.list(access).some((container) => container.id === id);
}
