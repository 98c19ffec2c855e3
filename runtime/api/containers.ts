import type { Container, WaitCondition } from '../containers/container.ts';
import type { Engine } from '../containers/engine.ts';
import { type Execs, parseSize } from '../containers/execs.ts';
import type { StopOptions } from '../containers/lifecycle.ts';
import { RequestFields } from '../containers/request-fields.ts';
import { EngineError } from '../engine-error.ts';
import { isOwnPlatform, PLATFORM } from '../images/platform.ts';
import { listContainers } from './container-list.ts';
import { inspectView } from './container-view.ts';
import type { Exchange } from './exchange.ts';
import { refuseUnsafeContainer } from './policy.ts';
import type { Route } from './router.ts';

interface ContainerParts {
  engine: Engine;
  execs: Execs;
  /** Folder of volumes. */
  volumes: string;
}

/** Containers: create, look at, start, end, remove. */
export function containerRoutes(parts: ContainerParts): Route[] {
  const { engine, volumes } = parts;
  const find = (exchange: Exchange) => engine.find(exchange.params.id!, exchange.access);
  return [
    {
      method: 'GET',
      pattern: '/containers/json',
      handler: (exchange) => listContainers(engine, volumes, exchange),
    },
    {
      method: 'POST',
      pattern: '/containers/create',
      handler: (exchange) => create(parts, exchange),
    },
    {
      method: 'GET',
      pattern: '/containers/{id}/json',
      handler: (exchange) => inspect(parts, exchange),
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/start',
      handler: async (exchange) => exchange.send((await engine.lifecycle.start(find(exchange))) ? 204 : 304),
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/stop',
      handler: async (exchange) => {
        const stopped = await engine.lifecycle.stop(find(exchange), stopOptions(exchange));
        exchange.send(stopped ? 204 : 304);
      },
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/restart',
      handler: async (exchange) => {
        await engine.lifecycle.restart(find(exchange), stopOptions(exchange));
        exchange.send(204);
      },
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/kill',
      handler: async (exchange) => {
        await engine.lifecycle.kill(find(exchange), exchange.query.get('signal') || 'SIGKILL');
        exchange.send(204);
      },
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/pause',
      handler: async (exchange) => {
        await engine.lifecycle.pause(find(exchange));
        exchange.send(204);
      },
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/unpause',
      handler: async (exchange) => {
        await engine.lifecycle.unpause(find(exchange));
        exchange.send(204);
      },
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/rename',
      handler: async (exchange) => {
        await engine.rename(find(exchange), exchange.query.get('name') ?? '');
        exchange.send(204);
      },
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/wait',
      handler: (exchange) => wait(find(exchange), exchange),
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/resize',
      handler: (exchange) => {
        engine.resize(find(exchange), sizeOf(exchange));
        exchange.send(200);
      },
    },
    {
      method: 'DELETE',
      pattern: '/containers/{id}',
      handler: async (exchange) => {
        await engine.remove(find(exchange), { force: exchange.flag('force'), volumes: exchange.flag('v') });
        exchange.send(204);
      },
    },
  ];
}

/** The query's `h` and `w`. Throws `invalid`. */
export function sizeOf(exchange: Exchange): { rows: number; columns: number } {
  const size = parseSize([exchange.number('h'), exchange.number('w')]);
  if (!size) throw new EngineError('invalid', 'The terminal size needs h and w, from 1 to 65535.');
  return size;
}

async function inspect({ engine, execs, volumes }: ContainerParts, exchange: Exchange): Promise<void> {
  const container = engine.find(exchange.params.id!, exchange.access);
  exchange.send(200, {
    ...inspectView(container, { volumes, networks: engine.networks, execs: execs.idsOf(container) }),
    ...(exchange.flag('size') ? await engine.size(container) : {}),
  });
}

async function create({ engine, volumes }: ContainerParts, exchange: Exchange): Promise<void> {
  const body = await exchange.json();
  if (exchange.access === 'platform') refuseUnsafeContainer(body, { volumes });
  refuseOtherPlatform(engine, body, exchange.query.get('platform'));
  const { container, warnings } = engine.create(body, {
    name: exchange.query.get('name') || undefined,
    access: exchange.access,
  });
  exchange.send(201, { Id: container.id, Warnings: warnings });
}

/** As an image that is not there, whose client may try to pull it. Throws `not_found`, `invalid`. */
function refuseOtherPlatform(engine: Engine, body: unknown, platform: string | null): void {
  if (!platform || isOwnPlatform(platform)) return;
  const name = new RequestFields(body).string('Image');
  engine.images.find(name);
  throw new EngineError(
    'not_found',
    `image with reference ${name} was found but its platform (${PLATFORM}) does not match the specified platform (${platform})`,
  );
}

function stopOptions(exchange: Exchange): StopOptions {
  const seconds = exchange.number('t');
  const signal = exchange.query.get('signal');
  return { ...(seconds === undefined ? {} : { seconds }), ...(signal ? { signal } : {}) };
}

/** The head is sent at once: clients wait for it before they start the container. */
async function wait(container: Container, exchange: Exchange): Promise<void> {
  const condition = (exchange.query.get('condition') || 'not-running') as WaitCondition;
  if (!['not-running', 'next-exit', 'removed'].includes(condition)) {
    throw new EngineError('invalid', `invalid condition: "${condition}"`);
  }
  const body = exchange.stream('application/json');
  try {
    const code = await container.wait(condition, exchange.signal);
    body.end(`${JSON.stringify({ StatusCode: code })}\n`);
  } catch {
    body.destroy();
  }
}
