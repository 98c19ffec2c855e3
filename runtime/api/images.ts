import type { Engine } from '../containers/engine.ts';
import { parseImageConfig } from '../containers/request/process-request.ts';
import { RequestFields } from '../containers/request-fields.ts';
import { EngineError } from '../engine-error.ts';
import { parseChanges } from '../images/config-changes.ts';
import { type Image, mergeConfig } from '../images/image.ts';
import { ImageRemover } from '../images/image-remover.ts';
import type { ImageSaver } from '../images/image-saver.ts';
import { normalizeReference } from '../images/reference.ts';
import type { Exchange } from './exchange.ts';
import { Filters } from './filters.ts';
import { listImages, prunableImages, shownTags } from './image-filters.ts';
import { historyView, imageListView, imageView } from './image-view.ts';
import type { Route } from './router.ts';

/** Images: look at, make from a container, name, remove. */
export function imageRoutes(engine: Engine, saver: ImageSaver): Route[] {
  const remover = imageRemover(engine);
  const find = (exchange: Exchange) => engine.images.find(exchange.params.name!);
  return [
    { method: 'GET', pattern: '/images/json', handler: (exchange) => list(engine, exchange) },
    {
      method: 'GET',
      pattern: '/images/{name*}/json',
      handler: (exchange) => inspect({ engine, saver }, find(exchange), exchange),
    },
    {
      method: 'GET',
      pattern: '/images/{name*}/history',
      handler: async (exchange) => {
        const image = find(exchange);
        exchange.send(200, historyView(image, await layerSizes(engine, image)));
      },
    },
    {
      method: 'POST',
      pattern: '/images/{name*}/tag',
      handler: (exchange) => tag(engine, find(exchange), exchange),
    },
    {
      method: 'DELETE',
      pattern: '/images/{name*}',
      handler: (exchange) => {
        const options = { force: exchange.flag('force'), parents: !exchange.flag('noprune') };
        exchange.send(200, remover.remove(exchange.params.name!, options));
      },
    },
    {
      method: 'POST',
      pattern: '/images/prune',
      handler: async (exchange) => {
        const filters = new Filters(exchange.query.get('filters'));
        const pruned = await remover.prune(prunableImages(engine.images, filters, exchange.access));
        exchange.send(200, { ImagesDeleted: pruned.removed, SpaceReclaimed: pruned.bytes });
      },
    },
    { method: 'POST', pattern: '/commit', handler: (exchange) => commit(engine, exchange) },
  ];
}

function imageRemover(engine: Engine): ImageRemover {
  return new ImageRemover({
    ...{ images: engine.images, layers: engine.layers },
    usersOf: (image) => engine.usersOf(image),
    removeUnusedLayers: (layers) => engine.removeUnusedLayers(layers),
    publish: (image, action, name) => publishImageEvent(engine, image, { action, name }),
  });
}

/** Tells everybody what has happened to an image. */
export function publishImageEvent(
  engine: Engine,
  image: Image,
  happened: { action: string; name: string },
): void {
  engine.events.publish({
    Type: 'image',
    Action: happened.action,
    id: `sha256:${image.id}`,
    origin: image.origin ?? 'platform',
    attributes: { ...image.config.Labels, name: happened.name },
  });
}

async function list(engine: Engine, exchange: Exchange): Promise<void> {
  const filters = new Filters(exchange.query.get('filters'));
  const found = listImages(engine.images, filters, { all: exchange.flag('all') });
  const views = found.map(async (image) =>
    imageListView(image, {
      size: sum(await layerSizes(engine, image)),
      tags: shownTags(image, filters) ?? [],
      version: exchange.version,
      containers: -1,
      ...(exchange.flag('shared-size') && { sharedSize: sum(await sharedSizes(engine, image)) }),
    }),
  );
  exchange.send(200, await Promise.all(views));
}

/** The platform, which is not interested, does not wait for digests that nobody has computed yet; who is not root cannot compute them. */
async function inspect(
  { engine, saver }: { engine: Engine; saver: ImageSaver },
  image: Image,
  exchange: Exchange,
): Promise<void> {
  const known = image.layers.map((layer) => engine.layers.digest(layer));
  const facts = {
    size: sum(await layerSizes(engine, image)),
    digests:
      exchange.access === 'root' ? await saver.digests(image, exchange.signal).catch(() => known) : known,
    version: exchange.version,
  };
  exchange.send(200, imageView(image, facts));
}

async function commit(engine: Engine, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const container = engine.find(query.get('container') ?? '', exchange.access);
  const changes = parseChanges(query.getAll('changes'));
  const asked = parseImageConfig(new RequestFields((await exchange.json()) ?? {}));
  const image = await engine.commit(container, {
    reference: query.get('repo') ? referenceOf(query) : undefined,
    config: (own) => mergeConfig(mergeConfig(own, asked), changes),
    author: query.get('author') ?? '',
    comment: query.get('comment') ?? '',
    origin: exchange.access,
    pause: !['0', 'false', 'False'].includes(query.get('pause') ?? ''),
  });
  exchange.send(201, { Id: `sha256:${image.id}` });
}

function tag(engine: Engine, image: Image, exchange: Exchange): void {
  const reference = normalizeReference(referenceOf(exchange.query));
  engine.images.add(image, reference);
  publishImageEvent(engine, image, { action: 'tag', name: reference });
  exchange.send(201);
}

/** The query's `repo` and `tag`. Throws `invalid`. */
export function referenceOf(query: URLSearchParams): string {
  const repository = query.get('repo');
  if (!repository) throw new EngineError('invalid', 'The name is missing: repo, and tag if there is one.');
  const tag = query.get('tag');
  return tag ? `${repository}:${tag}` : repository;
}

/** Bytes of each layer, bottom first. */
export function layerSizes(engine: Engine, image: Image): Promise<number[]> {
  return Promise.all(image.layers.map((layer) => engine.layers.size(layer)));
}

/** Bytes of those layers that another image has, too. */
async function sharedSizes(engine: Engine, image: Image): Promise<number[]> {
  const others = engine.images.list().filter(({ id }) => id !== image.id);
  const shared = image.layers.filter((layer) => others.some(({ layers }) => layers.includes(layer)));
  return Promise.all(shared.map((layer) => engine.layers.size(layer)));
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
