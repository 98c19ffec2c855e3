import type { Engine } from '../containers/engine.ts';
import { parseImageConfig } from '../containers/request/process-request.ts';
import { RequestFields } from '../containers/request-fields.ts';
import { EngineError } from '../engine-error.ts';
import type { Image } from '../images/image.ts';
import { matchesReference, normalizeReference } from '../images/reference.ts';
import type { Exchange } from './exchange.ts';
import { Filters } from './filters.ts';
import { imageListView, imageView } from './image-view.ts';
import type { Route } from './router.ts';

/** Images: look at, make from a container, name, remove. */
export function imageRoutes(engine: Engine): Route[] {
  return [
    { method: 'GET', pattern: '/images/json', handler: (exchange) => list(engine, exchange) },
    {
      method: 'GET',
      pattern: '/images/{name*}/json',
      handler: async (exchange) => {
        const image = engine.images.find(exchange.params.name!);
        exchange.send(200, imageView(image, await sizeOf(engine, image)));
      },
    },
    { method: 'POST', pattern: '/images/{name*}/tag', handler: (exchange) => tag(engine, exchange) },
    { method: 'DELETE', pattern: '/images/{name*}', handler: (exchange) => remove(engine, exchange) },
    { method: 'POST', pattern: '/commit', handler: (exchange) => commit(engine, exchange) },
  ];
}

async function list(engine: Engine, exchange: Exchange): Promise<void> {
  const filters = new Filters(exchange.query.get('filters'));
  const wanted = filters.values('reference');
  const found = engine.images
    .list()
    .filter((image) => filters.labels(image.config.Labels))
    .filter(
      (image) =>
        !wanted || Object.keys(image.tags).some((tag) => wanted.some((w) => matchesReference(w, tag))),
    );
  const views = found.map(async (image) => imageListView(image, await sizeOf(engine, image)));
  exchange.send(200, await Promise.all(views));
}

async function commit(engine: Engine, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const container = engine.find(query.get('container') ?? '', exchange.access);
  if (query.get('changes'))
    throw new EngineError('invalid', 'Changes are not supported: send a config in the body.');
  const fields = new RequestFields((await exchange.json()) ?? {});
  const image = await engine.commit(container, {
    reference: query.get('repo') ? referenceOf(query) : undefined,
    config: parseImageConfig(fields),
  });
  exchange.send(201, { Id: `sha256:${image.id}` });
}

function tag(engine: Engine, exchange: Exchange): void {
  const image = engine.images.find(exchange.params.name!);
  engine.images.add(image, referenceOf(exchange.query));
  exchange.send(201);
}

function referenceOf(query: URLSearchParams): string {
  const tag = query.get('tag');
  return tag ? `${query.get('repo')}:${tag}` : `${query.get('repo')}`;
}

/** By name: takes the name away, and the image with its last name. By id: the image, unless it has several names. */
function remove(engine: Engine, exchange: Exchange): void {
  const name = exchange.params.name!;
  const image = engine.images.find(name);
  const tags = Object.keys(image.tags);
  const reference = tags.find((tag) => tag === referenceOrUndefined(name));
  if (reference && tags.length > 1) {
    engine.images.untag(reference);
    exchange.send(200, [{ Untagged: reference }]);
    return;
  }
  refuseUsed(engine, { image, name, force: exchange.flag('force') });
  if (!reference && tags.length > 1 && !exchange.flag('force')) {
    throw new EngineError(
      'conflict',
      `conflict: unable to delete ${name}: the image has several names (force it)`,
    );
  }
  engine.images.remove(image.id);
  engine.removeUnusedLayers(image.layers);
  exchange.send(200, [...tags.map((tag) => ({ Untagged: tag })), { Deleted: `sha256:${image.id}` }]);
}

function refuseUsed(engine: Engine, options: { image: Image; name: string; force: boolean }): void {
  const user = engine.uses(options.image);
  if (!user || (options.force && !user.running)) return;
  throw new EngineError(
    'conflict',
    `conflict: unable to remove "${options.name}": container ${user.id.slice(0, 12)} is using the image`,
  );
}

function referenceOrUndefined(name: string): string | undefined {
  try {
    return normalizeReference(name);
  } catch {
    return undefined;
  }
}

async function sizeOf(engine: Engine, image: Image): Promise<number> {
  let size = 0;
  for (const layer of image.layers) size += await engine.layers.size(layer);
  return size;
}
