import type { Container } from '../containers/container.ts';
import type { ContainerFiles } from '../containers/container-files.ts';
import type { Engine } from '../containers/engine.ts';
import { EngineError } from '../engine-error.ts';
import type { FileWorker } from '../files/file-worker.ts';
import type { VolumeStore } from '../volumes/volume-store.ts';
import { listViews } from './container-view.ts';
import type { Exchange } from './exchange.ts';
import { Filters } from './filters.ts';
import { imageListView } from './image-view.ts';
import type { Route } from './router.ts';
import { parseTime } from './timestamps.ts';
import { volumeView } from './volumes.ts';

const TYPES = ['image', 'container', 'volume', 'build-cache'];
/** So old may be what is told: every client of `docker system df` asks for the same walk through all files. */
const FRESH_MILLISECONDS = 5000;

export interface DiskUsageParts {
  engine: Engine;
  files: ContainerFiles;
  volumes: VolumeStore;
  worker: FileWorker;
  /** The folder of volumes. */
  folder: string;
}

/** What takes room on the disk, and removing containers that have ended. */
export function diskUsageRoutes(parts: DiskUsageParts): Route[] {
  const sizes = new FolderSizes(parts.worker);
  return [
    { method: 'GET', pattern: '/system/df', handler: (exchange) => tell(parts, sizes, exchange) },
    { method: 'POST', pattern: '/containers/prune', handler: (exchange) => prune(parts, exchange) },
  ];
}

/** Bytes in folders: walked by a process of its own, and remembered for a moment. */
class FolderSizes {
  readonly #worker: FileWorker;
  #asked: { key: string; at: number; sizes: Promise<number[]> } | undefined;

  constructor(worker: FileWorker) {
    this.#worker = worker;
  }

  async of(folders: string[]): Promise<Map<string, number>> {
    const key = folders.join('\0');
    const fresh = this.#asked?.key === key && Date.now() - this.#asked.at < FRESH_MILLISECONDS;
    if (!fresh) this.#asked = { key, at: Date.now(), sizes: this.#worker.sizes(folders) };
    const sizes = await this.#asked!.sizes;
    return new Map(folders.map((folder, index) => [folder, sizes[index] ?? 0]));
  }
}

async function tell(parts: DiskUsageParts, folderSizes: FolderSizes, exchange: Exchange): Promise<void> {
  const asked = exchange.query.getAll('type');
  const unknown = asked.find((type) => !TYPES.includes(type));
  if (unknown !== undefined) throw new EngineError('invalid', `unknown object type: ${unknown}`);
  const wants = (type: string) => asked.length === 0 || asked.includes(type);
  const { engine, volumes, files, folder } = parts;
  const view = listViews(engine, folder);
  const containers = wants('container') ? engine.list(exchange.access) : [];
  const known = wants('volume') ? volumes.list(exchange.access) : [];
  const uppers = containers.flatMap((container) => files.upper(container) ?? []);
  const paths = [...uppers, ...known.map(({ name }) => volumes.path(name))];
  const sizes = paths.length > 0 ? await folderSizes.of(paths) : new Map<string, number>();
  exchange.send(200, {
    ...(wants('image') ? await imagesPart(engine, exchange) : {}),
    ...(wants('container') && {
      Containers: await Promise.all(
        containers.map(async (container) => ({
          ...view(container),
          ...(await containerPart(parts, container, sizes)),
        })),
      ),
    }),
    ...(wants('volume') && {
      Volumes: known.map((volume) => ({
        ...volumeView(volume, volumes),
        UsageData: {
          Size: sizes.get(volumes.path(volume.name)) ?? 0,
          RefCount: engine.usersOfVolume(volume.name).length,
        },
      })),
    }),
    ...(wants('build-cache') && { BuildCache: [], BuilderSize: 0 }),
  });
}

/** A layer counts once, however many images have it. */
async function imagesPart(engine: Engine, exchange: Exchange): Promise<object> {
  const images = engine.images.list();
  const users = new Map<string, number>();
  for (const layer of images.flatMap((image) => image.layers)) users.set(layer, (users.get(layer) ?? 0) + 1);
  const layers = [...users.keys()];
  const sizes = new Map<string, number>();
  for (const layer of layers) sizes.set(layer, await engine.layers.size(layer));
  const total = (ids: string[]) => ids.reduce((sum, id) => sum + (sizes.get(id) ?? 0), 0);
  const Images = images.map((image) =>
    imageListView(image, {
      size: total(image.layers),
      tags: Object.keys(image.tags),
      version: exchange.version,
      containers: engine.usersOf(image).length,
      sharedSize: total(image.layers.filter((layer) => users.get(layer)! > 1)),
    }),
  );
  return { LayersSize: total(layers), Images };
}

async function containerPart(
  { engine, files }: DiskUsageParts,
  container: Container,
  sizes: Map<string, number>,
): Promise<{ SizeRw: number; SizeRootFs: number }> {
  if (container.config.host.DiskSize > 0) return engine.size(container);
  const SizeRw = sizes.get(files.upper(container) ?? '') ?? 0;
  const layers = await Promise.all(container.config.layers.map((id) => engine.layers.size(id)));
  return { SizeRw, SizeRootFs: layers.reduce((sum, size) => sum + size, SizeRw) };
}

/** Those that do not run. */
async function prune({ engine, files, worker }: DiskUsageParts, exchange: Exchange): Promise<void> {
  const filters = new Filters(exchange.query.get('filters'));
  filters.allow('until', 'label', 'label!');
  const until = (filters.values('until') ?? []).map((text) => parseTime(text, Date.now()));
  const ended = engine
    .list(exchange.access)
    .filter(
      ({ config, state }) =>
        ['created', 'exited'].includes(state.status) &&
        filters.labels(config.process.Labels) &&
        filters.withoutLabels(config.process.Labels) &&
        until.every((time) => Date.parse(config.created) < time),
    );
  const uppers = ended.map((container) => files.upper(container) ?? '/nonexistent');
  const sizes = ended.length > 0 ? await worker.sizes(uppers) : [];
  const removed: { id: string; size: number }[] = [];
  for (const [index, container] of ended.entries()) {
    // One that was started or removed meanwhile stays, or is gone.
    const gone = await engine.remove(container, { force: false, volumes: false }).then(
      () => true,
      () => false,
    );
    if (gone) removed.push({ id: container.id, size: sizes[index] ?? 0 });
  }
  exchange.send(200, {
    ContainersDeleted: removed.map(({ id }) => id),
    SpaceReclaimed: removed.reduce((sum, { size }) => sum + size, 0),
  });
}
