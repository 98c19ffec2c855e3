import type { Engine } from '../containers/engine.ts';
import { EngineError } from '../engine-error.ts';
import { parseChanges } from '../images/config-changes.ts';
import { mergeConfig } from '../images/image.ts';
import type { ImageLoader } from '../images/image-loader.ts';
import type { ImageSaver, Saved } from '../images/image-saver.ts';
import type { ImageStore } from '../images/image-store.ts';
import { isOwnPlatform, PLATFORM } from '../images/platform.ts';
import { normalizeReference, repositoryOf } from '../images/reference.ts';
import type { Exchange } from './exchange.ts';
import { publishImageEvent, referenceOf } from './images.ts';
import type { Route } from './router.ts';
import { NO_REGISTRY } from './unsupported.ts';

interface ArchiveParts {
  engine: Engine;
  loader: ImageLoader;
  saver: ImageSaver;
}

/** Images as archives: in and out. */
export function imageArchiveRoutes(parts: ArchiveParts): Route[] {
  const saveOne = (exchange: Exchange) => save(parts, [exchange.params.name!], exchange);
  const saveSome = (exchange: Exchange) => save(parts, exchange.query.getAll('names'), exchange);
  return [
    { method: 'GET', pattern: '/images/get', handler: saveSome },
    { method: 'GET', pattern: '/images/{name*}/get', handler: saveOne },
    { method: 'POST', pattern: '/images/load', handler: (exchange) => load(parts, exchange) },
    { method: 'POST', pattern: '/images/create', handler: (exchange) => create(parts, exchange) },
  ];
}

async function save({ engine, saver }: ArchiveParts, names: string[], exchange: Exchange): Promise<void> {
  if (names.length === 0) throw new EngineError('invalid', 'No image is named.');
  const saved = new Map<string, Saved>();
  for (const name of names.flatMap((asked) => tagsOf(engine.images, asked) ?? asked)) {
    const image = engine.images.find(name);
    const known = saved.get(image.id) ?? { image, names: [] };
    const reference = referenceOrNothing(name);
    saved.set(image.id, known);
    if (reference === undefined || known.names.includes(reference)) continue;
    if (image.tags[reference] !== undefined) known.names.push(reference);
  }
  const output = exchange.stream('application/x-tar');
  await saver.save([...saved.values()], { output, signal: exchange.signal });
  output.end();
}

/** All tags of a repository that is named without one, as Docker saves them; undefined: it is none. */
function tagsOf(images: ImageStore, name: string): string[] | undefined {
  const reference = referenceOrNothing(name);
  if (reference === undefined || repositoryOf(name) !== name) return undefined;
  const tags = images.list().flatMap((image) => Object.keys(image.tags));
  const own = tags.filter((tag) => repositoryOf(tag) === repositoryOf(reference));
  return own.length > 0 ? own : undefined;
}

async function load({ engine, loader }: ArchiveParts, exchange: Exchange): Promise<void> {
  const { access: origin, signal } = exchange;
  const loaded = await loader.load(exchange.request, { origin, signal });
  const output = exchange.stream('application/json');
  for (const { image, names } of loaded) {
    const lines =
      names.length > 0
        ? names.map((name) => `Loaded image: ${name}\n`)
        : [`Loaded image ID: sha256:${image.id}\n`];
    for (const stream of lines) output.write(`${JSON.stringify({ stream })}\n`);
    publishImageEvent(engine, image, { action: 'load', name: names[0] ?? `sha256:${image.id}` });
  }
  output.end();
}

/** Of a file system that is sent along: `docker import -`. Throws `unsupported` for what would have to be fetched. */
async function create({ engine, loader }: ArchiveParts, exchange: Exchange): Promise<void> {
  const { query, access: origin, signal } = exchange;
  if (query.get('fromImage')) {
    const what = `"${query.get('fromImage')}" cannot be pulled`;
    const platform = query.get('platform');
    throw new EngineError('unsupported', `${what}${platform ? ` for ${platform}` : ''}: ${NO_REGISTRY}`);
  }
  if (query.get('fromSrc') !== '-') {
    throw new EngineError(
      'unsupported',
      'Only a file that is sent along can be imported (fromSrc=-), nothing by URL.',
    );
  }
  refuseOtherPlatform(query.get('platform'));
  const image = await loader.import(exchange.request, {
    reference: query.get('repo') ? referenceOf(query) : undefined,
    config: mergeConfig(NOTHING, parseChanges(query.getAll('changes'))),
    comment: query.get('message') ?? '',
    ...{ origin, signal },
  });
  publishImageEvent(engine, image, { action: 'import', name: Object.keys(image.tags)[0] ?? '' });
  const output = exchange.stream('application/json');
  output.end(`${JSON.stringify({ status: `sha256:${image.id}` })}\n`);
}

const NOTHING = { Env: [], Cmd: [], Entrypoint: [], WorkingDir: '', User: '', Labels: {}, ExposedPorts: {} };

function refuseOtherPlatform(platform: string | null): void {
  if (!platform || isOwnPlatform(platform)) return;
  throw new EngineError('invalid', `The platform "${platform}" is not ${PLATFORM}.`);
}

function referenceOrNothing(name: string): string | undefined {
  try {
    return normalizeReference(name);
  } catch {
    return undefined;
  }
}
