import { mkdirSync } from 'node:fs';
import { archiveRoutes } from './api/archive.ts';
import { containerStreamRoutes } from './api/container-streams.ts';
import { containerRoutes } from './api/containers.ts';
import { diskUsageRoutes } from './api/disk-usage.ts';
import { eventRoutes } from './api/events.ts';
import { execRoutes } from './api/execs.ts';
import { forwardRoutes } from './api/forwards.ts';
import { imageArchiveRoutes } from './api/image-archives.ts';
import { imageRoutes } from './api/images.ts';
import { networkRoutes } from './api/networks.ts';
import { resourceRoutes } from './api/resources.ts';
import { type Route, Router } from './api/router.ts';
import { createApiServer } from './api/server.ts';
import { listenOnSocket } from './api/sockets.ts';
import { systemRoutes } from './api/system.ts';
import { unsupportedRoutes } from './api/unsupported.ts';
import { volumeRoutes } from './api/volumes.ts';
import { ContainerFiles } from './containers/container-files.ts';
import { ContainerStore } from './containers/container-store.ts';
import type { Descriptors } from './containers/descriptors.ts';
import { Engine } from './containers/engine.ts';
import { EventLog } from './containers/events.ts';
import { Execs } from './containers/execs.ts';
import type { Kernel } from './containers/kernel.ts';
import { OutputWatcher } from './containers/output-watcher.ts';
import { FileWorker } from './files/file-worker.ts';
import { SizeQueue } from './files/size-queue.ts';
import { IdleMemory } from './idle-memory.ts';
import { registerBaseImage } from './images/base-image.ts';
import { ImageLoader } from './images/image-loader.ts';
import { ImageSaver } from './images/image-saver.ts';
import { ImageStore } from './images/image-store.ts';
import { LayerMaker } from './images/layer-maker.ts';
import { LayerStore } from './images/layer-store.ts';
import { NetworkCatalog } from './network/network-catalog.ts';
import { runtimePaths, type Settings } from './settings.ts';
import { Trash } from './trash.ts';
import { VolumeFiller } from './volumes/volume-filler.ts';
import { VolumeStore } from './volumes/volume-store.ts';

/** The system group of control, which may use the socket with the policy. */
const PLATFORM_GROUP = 'paas';

/** A runtime that answers on its two sockets. */
export interface Runtime {
  engine: Engine;
  /** All that it answers; docs/docker-api.md is checked against it. */
  routes: readonly Route[];
  /** Stops answering; containers go on. */
  close(): Promise<void>;
}

/** Wires a runtime with this kernel side, takes up what an earlier one left, and begins to answer. */
export async function startRuntime(
  settings: Settings,
  parts: { kernel: Kernel; descriptors: Descriptors; version: string },
): Promise<Runtime> {
  const paths = runtimePaths(settings);
  mkdirSync(paths.root, { recursive: true, mode: 0o700 });
  const trash = new Trash(paths.trash, (args) => parts.kernel.execute(args));
  trash.open();
  const layers = new LayerStore(paths.layers, trash);
  layers.open();
  const images = new ImageStore(paths.images);
  images.open((layer) => layers.exists(layer));
  if (settings.base) registerBaseImage(settings.base, { images, layers });
  const watcher = new OutputWatcher(paths.output);
  const store = new ContainerStore(paths, trash);
  const catalog = new NetworkCatalog({ folder: paths.networks, subnet: settings.subnet });
  catalog.open();
  const worker = new FileWorker();
  const maker = new LayerMaker(layers, worker);
  const events = new EventLog();
  const volumes = new VolumeStore(
    { volumes: paths.volumes, records: paths.volumeRecords },
    { trash, events },
  );
  volumes.open();
  const engine = new Engine({
    ...{ kernel: parts.kernel, descriptors: parts.descriptors },
    ...{ store, images, layers, watcher, catalog, events },
    ...{ output: paths.output, volumes, forwards: paths.forwards },
    filler: new VolumeFiller({
      ...{ volumes, worker },
      openView: (lower) => parts.kernel.openView({ rootfs: { lower }, binds: [] }),
    }),
    ...{ maker, worker, sizes: new SizeQueue(worker) },
    refusedSources: [settings.data, settings.run],
  });
  await engine.open();
  const loader = new ImageLoader({
    ...{ images, layers, worker, trash },
    maker,
    incoming: paths.incoming,
    syncFileSystem: parts.descriptors.syncFileSystem,
  });
  const saver = new ImageSaver(layers, worker);
  const files = new ContainerFiles({ kernel: parts.kernel, store, layers, launcher: engine.launcher });
  const execs = new Execs(engine, parts.descriptors);
  const routes = [
    ...systemRoutes(engine, { version: parts.version, root: paths.root }),
    ...containerRoutes({ engine, execs, volumes: paths.volumes }),
    ...containerStreamRoutes(engine),
    ...resourceRoutes(engine, paths.volumes),
    ...execRoutes(engine, execs),
    ...imageRoutes(engine, saver),
    ...networkRoutes(engine),
    ...forwardRoutes(engine),
    ...eventRoutes(engine),
    ...imageArchiveRoutes({ engine, loader, saver }),
    ...archiveRoutes({ engine, files, worker }),
    ...volumeRoutes({ engine, volumes, worker }),
    ...diskUsageRoutes({ engine, files, volumes, worker, folder: paths.volumes }),
    ...unsupportedRoutes(),
  ];
  const router = new Router(routes);
  const servers = [createApiServer(router, 'root'), createApiServer(router, 'platform')] as const;
  const memory = new IdleMemory();
  for (const { server } of servers) server.on('request', () => memory.touch());
  await listenOnSocket(servers[0].server, paths.dockerSocket, undefined);
  await listenOnSocket(
    servers[1].server,
    paths.engineSocket,
    process.getuid?.() === 0 ? PLATFORM_GROUP : undefined,
  );
  return {
    engine,
    routes,
    close: async () => {
      engine.close();
      watcher.close();
      await Promise.all(servers.map((each) => each.close()));
      await store.close();
      await trash.emptied();
    },
  };
}
