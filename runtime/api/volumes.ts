import type { Engine } from '../containers/engine.ts';
import { RequestFields } from '../containers/request-fields.ts';
import { EngineError } from '../engine-error.ts';
import type { FileWorker } from '../files/file-worker.ts';
import type { Volume, VolumeStore } from '../volumes/volume-store.ts';
import type { Exchange } from './exchange.ts';
import { Filters } from './filters.ts';
import type { Route } from './router.ts';

/** Clients before version 1.42 of the API mean all volumes when they prune. */
const LAST_PRUNE_OF_ALL = 41;

export interface VolumeParts {
  engine: Engine;
  volumes: VolumeStore;
  worker: FileWorker;
}

/** Volumes: make, look at, remove. */
export function volumeRoutes(parts: VolumeParts): Route[] {
  const { volumes } = parts;
  const find = (exchange: Exchange) => volumes.find(exchange.params.name!, exchange.access);
  return [
    { method: 'GET', pattern: '/volumes', handler: (exchange) => list(parts, exchange) },
    { method: 'POST', pattern: '/volumes/create', handler: (exchange) => create(parts, exchange) },
    { method: 'POST', pattern: '/volumes/prune', handler: (exchange) => prune(parts, exchange) },
    {
      method: 'GET',
      pattern: '/volumes/{name}',
      handler: (exchange) => exchange.send(200, volumeView(find(exchange), volumes)),
    },
    {
      method: 'DELETE',
      pattern: '/volumes/{name}',
      handler: (exchange) => remove(parts, exchange),
    },
  ];
}

/** The answer to `GET /volumes/{name}`. */
export function volumeView(volume: Volume, volumes: VolumeStore): object {
  return {
    Name: volume.name,
    Driver: 'local',
    Mountpoint: volumes.path(volume.name),
    CreatedAt: volume.created,
    // As Docker marks them; its client counts on it.
    Labels: { ...volume.labels, ...(volume.anonymous && { 'com.docker.volume.anonymous': '' }) },
    Scope: 'local',
    Options: null,
  };
}

function list({ engine, volumes }: VolumeParts, exchange: Exchange): void {
  const filters = new Filters(exchange.query.get('filters'));
  filters.allow('dangling', 'driver', 'label', 'name');
  const found = volumes
    .list(exchange.access)
    .filter(
      (volume) =>
        filters.labels(volume.labels) &&
        filters.some('name', (name) => volume.name.includes(name)) &&
        filters.some('driver', (driver) => driver === 'local') &&
        filters.some(
          'dangling',
          (wanted) => isTrue(wanted) === (engine.usersOfVolume(volume.name).length === 0),
        ),
    );
  exchange.send(200, { Volumes: found.map((volume) => volumeView(volume, volumes)), Warnings: null });
}

async function create({ volumes }: VolumeParts, exchange: Exchange): Promise<void> {
  const fields = new RequestFields((await exchange.json()) ?? {});
  if (!['', 'local'].includes(fields.string('Driver'))) {
    throw new EngineError('invalid', `There is no volume driver "${fields.string('Driver')}": local.`);
  }
  if (fields.says('DriverOpts') || fields.says('ClusterVolumeSpec')) {
    throw new EngineError(
      'invalid',
      'This runtime does not support options of a volume’s driver (DriverOpts).',
    );
  }
  const name = fields.string('Name');
  const options = { access: exchange.access, labels: fields.map('Labels') };
  const volume = name === '' ? volumes.create(exchange.access) : volumes.ensure(name, options);
  exchange.send(201, volumeView(volume, volumes));
}

/** By force there need be none; one in use stays all the same. */
function remove({ engine, volumes }: VolumeParts, exchange: Exchange): void {
  const name = exchange.params.name!;
  const isThere = volumes.list(exchange.access).some((volume) => volume.name === name);
  if (isThere || !exchange.flag('force')) {
    const volume = volumes.find(name, exchange.access);
    refuseUsed(volume, engine);
    volumes.remove(volume);
  }
  exchange.send(204);
}

function refuseUsed({ name }: Volume, engine: Engine): void {
  const users = engine.usersOfVolume(name);
  if (users.length === 0) return;
  const ids = users.map(({ id }) => id).join(', ');
  throw new EngineError('conflict', `remove ${name}: volume is in use - [${ids}]`);
}

/** Those without a name that somebody gave them, or all with the filter `all`. Each socket removes only what was made through it. */
async function prune({ engine, volumes, worker }: VolumeParts, exchange: Exchange): Promise<void> {
  const filters = new Filters(exchange.query.get('filters'));
  filters.allow('all', 'label', 'label!');
  const all = exchange.version <= LAST_PRUNE_OF_ALL || (filters.values('all') ?? []).some(isTrue);
  const unused = (volume: Volume) => engine.usersOfVolume(volume.name).length === 0;
  const wanted = volumes
    .list(exchange.access)
    .filter(
      (volume) =>
        volume.origin === exchange.access &&
        (all || volume.anonymous) &&
        filters.labels(volume.labels) &&
        filters.withoutLabels(volume.labels) &&
        unused(volume),
    );
  const sizes = wanted.length > 0 ? await worker.sizes(wanted.map(({ name }) => volumes.path(name))) : [];
  const removed = wanted.map((volume, index) => ({ volume, size: sizes[index] ?? 0 }));
  const gone = removed.filter(({ volume }) => unused(volume));
  for (const { volume } of gone) volumes.remove(volume);
  exchange.send(200, {
    VolumesDeleted: gone.map(({ volume }) => volume.name),
    SpaceReclaimed: gone.reduce((sum, { size }) => sum + size, 0),
  });
}

function isTrue(text: string): boolean {
  return ['1', 'true', 'True', 't', 'T', 'TRUE'].includes(text);
}
