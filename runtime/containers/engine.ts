import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../engine-error.ts';
import type { FileWorker } from '../files/file-worker.ts';
import type { SizeQueue } from '../files/size-queue.ts';
import type { Image } from '../images/image.ts';
import type { ImageStore } from '../images/image-store.ts';
import type { LayerMaker } from '../images/layer-maker.ts';
import type { LayerStore } from '../images/layer-store.ts';
import type { NetworkCatalog } from '../network/network-catalog.ts';
import { turns } from '../turns.ts';
import type { VolumeFiller } from '../volumes/volume-filler.ts';
import type { VolumeStore } from '../volumes/volume-store.ts';
import { type CommitOptions, Committer } from './committer.ts';
import { ConnectionWatch } from './connection-watch.ts';
import { Container } from './container.ts';
import type { Access, ContainerConfig } from './container-config.ts';
import { publishContainerEvent } from './container-events.ts';
import { ContainerIndex } from './container-index.ts';
import { ContainerNetworks } from './container-networks.ts';
import { ContainerOutput, STDERR_SUFFIX } from './container-output.ts';
import { containerSize } from './container-size.ts';
import type { ContainerStore, StoredContainer } from './container-store.ts';
import { parseCreateRequest } from './create-request.ts';
import type { Descriptors } from './descriptors.ts';
import { DiskTrimmer } from './disk/disk-trimmer.ts';
import { completeRecord } from './earlier-version.ts';
import type { EventLog } from './events.ts';
import { ForwardList } from './forward-list.ts';
import { HealthChecks } from './health-checks.ts';
import type { Kernel } from './kernel.ts';
import { Launcher } from './launcher.ts';
import { Lifecycle } from './lifecycle.ts';
import { updateLimits } from './limit-update.ts';
import { discardUnsupported } from './limits.ts';
import { makeMounts, mountsOf } from './mount-points.ts';
import { NoisyNeighbours } from './noisy-neighbours.ts';
import type { OutputWatcher } from './output-watcher.ts';
import { runProbe } from './probe.ts';
import { readMachine } from './request/machine.ts';
import type { User } from './user.ts';

export interface EngineOptions {
  kernel: Kernel;
  descriptors: Descriptors;
  store: ContainerStore;
  images: ImageStore;
  layers: LayerStore;
  watcher: OutputWatcher;
  events: EventLog;
  /** The definitions of networks. */
  catalog: NetworkCatalog;
  /** Folder of raw output. */
  output: string;
  /** File of the host's ports that lead to containers. */
  forwards: string;
  volumes: VolumeStore;
  filler: VolumeFiller;
  maker: LayerMaker;
  worker: FileWorker;
  sizes: SizeQueue;
  /** Folders of the host that no container may have. */
  refusedSources: string[];
}

/** All containers, and what can be done to them. */
export class Engine {
  readonly images: ImageStore;
  readonly layers: LayerStore;
  readonly events: EventLog;
  readonly kernel: Kernel;
  readonly networks: ContainerNetworks;
  readonly launcher: Launcher;
  /** Ports of the host that lead to containers as they come and go. */
  readonly forwards: ForwardList;
  /** Starts, stops, kills. */
  readonly lifecycle: Lifecycle;
  readonly #options: EngineOptions;
  readonly #committer: Committer;
  readonly #containers = new ContainerIndex();
  readonly #neighbours: NoisyNeighbours;
  readonly #connections: ConnectionWatch;
  readonly #trimmer: DiskTrimmer;
  readonly #machine = readMachine();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.images = options.images;
    this.layers = options.layers;
    this.events = options.events;
    this.kernel = options.kernel;
    this.forwards = new ForwardList({ file: options.forwards, kernel: options.kernel });
    this.networks = new ContainerNetworks({ ...options, containers: this.#containers });
    this.launcher = new Launcher({ ...options, networks: this.networks });
    this.#committer = new Committer(options);
    this.#neighbours = new NoisyNeighbours({
      kernel: options.kernel,
      containers: () => this.#containers.all(),
    });
    this.#connections = new ConnectionWatch({
      kernel: options.kernel,
      containers: () => this.#containers.all(),
    });
    this.#trimmer = new DiskTrimmer({
      kernel: options.kernel,
      containers: () => this.#containers.all(),
      folder: (id) => options.store.folder(id),
    });
    const { launcher } = this;
    this.lifecycle = new Lifecycle({
      ...options,
      launcher,
      networks: this.networks,
      health: new HealthChecks({
        ...options,
        probe: (container, check) => runProbe(container, check, { ...options, launcher }),
      }),
      find: (id) => this.#containers.get(id),
      remove: (container) => this.remove(container, { force: false, volumes: true }),
    });
  }

  /** Takes up what an earlier runtime left: what still runs goes on, what ended meanwhile is told. */
  async open(): Promise<void> {
    for (const stored of this.#options.store.open()) {
      this.#containers.add(
        new Container(completeRecord(stored, this.#machine), this.#outputOf(stored.config)),
      );
    }
    await Promise.all(this.#containers.all().map((container) => this.lifecycle.adopt(container)));
    const running = this.#containers.all().filter((container) => container.running);
    await this.forwards.open();
    await this.kernel.cleanUp(new Set(running.map((container) => container.id)));
    this.#tidyUp();
    this.lifecycle.open(this.#containers.all());
    this.#neighbours.open();
    this.#connections.open();
    this.#trimmer.open();
  }

  /** Looks at nothing and brings nothing back any more; what runs goes on. */
  close(): void {
    this.lifecycle.close();
    this.#neighbours.close();
    this.#connections.close();
    this.#trimmer.close();
  }

  /** Newest first; only those that `access` may see. */
  list(access: Access): Container[] {
    return this.#containers.list(access);
  }

  /** Whether it has not been removed. */
  has(container: Container): boolean {
    return this.#containers.get(container.id) === container;
  }

  /** By id, name, or a prefix of the id. Throws `not_found`, also for one that `access` may not see. */
  find(reference: string, access: Access): Container {
    return this.#containers.find(reference, access);
  }

  /** `body` as of `POST /containers/create`; warnings are for the client. Throws `invalid`, `not_found` (image), `conflict` (name). */
  create(
    body: unknown,
    options: { name: string | undefined; access: Access },
  ): { container: Container; warnings: string[] } {
    const imageName = String((body as { Image?: unknown } | null)?.Image ?? '');
    const image = this.images.find(imageName);
    const { asked, mounts, ...request } = parseCreateRequest(body, image.config, this.#machine);
    const { limits: host, warnings } = discardUnsupported(request.host, this.kernel.limitFeatures);
    const id = this.#options.store.nextId();
    const config: ContainerConfig = {
      id,
      name: this.#containers.claimName(options.name ?? id.slice(0, 12)),
      created: new Date().toISOString(),
      image: image.id,
      imageName,
      layers: image.layers,
      origin: options.access,
      endpoints: this.networks.endpointsFor(request.host.NetworkMode, { asked, access: options.access }),
      process: request.process,
      host,
    };
    // What comes to nothing must leave no volume.
    this.launcher.userOf(config, config.process.User);
    config.mounts = makeMounts(mounts, { ...this.#options, access: options.access });
    const stored: StoredContainer = { config, state: { status: 'created' } };
    this.#options.store.create(stored);
    const container = new Container(stored, this.#outputOf(config));
    this.#containers.add(container);
    this.#publish(container, 'create');
    return { container, warnings };
  }

  /** `volumes`: also those that were made for it alone. Throws `conflict` if it runs, unless by `force`. */
  async remove(container: Container, options: { force: boolean; volumes: boolean }): Promise<void> {
    if ((container.running || container.restarting) && !options.force) {
      throw new EngineError(
        'conflict',
        `Container ${container.id.slice(0, 12)} is ${container.state.status}: stop it before removing it, or force the removal.`,
      );
    }
    // Others who waited for its end may start it again.
    if (options.force)
      do await this.lifecycle.end(container);
      while (container.busy || container.running || container.restarting);
    // Meanwhile AutoRemove may have done it.
    if (!this.#containers.get(container.id)) return;
    await container.exclusively('being removed', async () => {
      await turns.next();
      this.#options.store.remove(container.id);
      this.#containers.delete(container);
    });
    this.removeUnusedLayers(container.config.layers);
    if (options.volumes) this.#removeOwnVolumes(container);
    this.#publish(container, 'destroy');
    container.tell('removed');
  }

  /** Throws `invalid`, and `conflict` for a name that another has. */
  async rename(container: Container, name: string): Promise<void> {
    // One that is being started is made known under the name that it had.
    while (container.busy) await container.idle();
    if (!this.has(container)) throw new EngineError('not_found', `No such container: ${container.id}`);
    const oldName = container.config.name;
    if (name === oldName) throw new EngineError('invalid', 'Renaming a container to its own name.');
    const config = { ...container.config, name: this.#containers.claimName(name) };
    this.#options.store.saveConfig(config);
    container.config = config;
    this.#containers.renamed(container, oldName);
    await this.networks.refresh(container);
    publishContainerEvent(this.events, container, {
      action: 'rename',
      attributes: { oldName: `/${oldName}` },
    });
  }

  /** Bytes that it has written, and that it sees. */
  size(container: Container): Promise<{ SizeRw: number; SizeRootFs: number }> {
    return containerSize(container, this.#options);
  }

  /** Changes limits and restart policy, also of one that runs. Returns warnings. Throws `invalid`, `conflict`. */
  update(container: Container, body: unknown): string[] {
    this.#neighbours.spare(container.id);
    const warnings = updateLimits(container, body, { ...this.#options, machine: this.#machine });
    this.#publish(container, 'update');
    return warnings;
  }

  /** Throws `conflict`. */
  async commit(container: Container, options: CommitOptions): Promise<Image> {
    while (container.busy) await container.idle();
    const pause = options.pause && container.state.status === 'running';
    if (pause) await this.lifecycle.pause(container);
    try {
      return await container.exclusively('being committed', async () => {
        const image = await this.#committer.commit(container, options);
        publishContainerEvent(this.events, container, {
          action: 'commit',
          attributes: {
            comment: options.comment,
            imageID: `sha256:${image.id}`,
            imageRef: options.reference ?? '',
          },
        });
        return image;
      });
    } finally {
      if (pause) await this.#letGoOn(container);
    }
  }

  /** Discards those of these layers that no image and no container has. */
  removeUnusedLayers(layers: string[]): void {
    const ofImages = new Set(this.images.layers());
    if (layers.every((layer) => ofImages.has(layer))) return;
    const used = this.#usedLayers();
    if (layers.every((layer) => used.has(layer))) return;
    this.layers.removeUnused(used);
    this.#options.kernel.forgetMissingLayers();
  }

  /** The containers that were made from this image. */
  usersOf(image: Image): Container[] {
    return this.#containers.all().filter((container) => container.config.image === image.id);
  }

  /** The containers that have the volume. */
  usersOfVolume(name: string): Container[] {
    const has = ({ config }: Container) =>
      mountsOf(config).some((mount) => mount.type === 'volume' && mount.name === name);
    return this.#containers.all().filter(has);
  }

  /** Whom the container's process runs as. */
  userOf({ config }: Container): User {
    return this.launcher.userOf(config, config.process.User);
  }

  resize(container: Container, size: { rows: number; columns: number }): void {
    container.terminalSize = size;
    container.terminal?.resize(size, this.#options.descriptors.resizeTerminal);
  }

  /** Somebody may have ended it meanwhile, or let it go on. */
  async #letGoOn(container: Container): Promise<void> {
    await this.lifecycle.unpause(container).catch((error: EngineError) => {
      if (error.code !== 'conflict') throw error;
    });
  }

  #removeOwnVolumes({ config }: Container): void {
    const { volumes } = this.#options;
    for (const mount of mountsOf(config)) {
      if (mount.type !== 'volume' || !mount.anonymous || this.usersOfVolume(mount.name).length > 0) continue;
      const volume = volumes.list('root').find(({ name }) => name === mount.name);
      if (volume) volumes.remove(volume);
    }
  }

  /** What an earlier runtime left on the disk is in nobody's way: that it cannot be removed is no reason not to start. */
  #tidyUp(): void {
    try {
      this.layers.removeUnused(this.#usedLayers());
      this.#removeForeignOutput();
    } catch (error) {
      console.error('Could not remove what nobody needs any more:', error);
    }
  }

  #removeForeignOutput(): void {
    for (const name of readdirSync(this.#options.output)) {
      // Also of one whose start was cut off: nobody reads it.
      const container = this.#containers.get(name.replace(STDERR_SUFFIX, ''));
      if (!container?.running) rmSync(join(this.#options.output, name), { recursive: true });
    }
  }

  #outputOf({ id, process }: ContainerConfig): ContainerOutput {
    const { store, output, descriptors } = this.#options;
    return new ContainerOutput(store.folder(id), {
      rawPath: join(output, id),
      // `docker run`, whose output may go into a file or a pipe; of a service in the background the order counts.
      apart: process.AttachStdout || process.AttachStderr,
      terminal: process.Tty,
      descriptors,
    });
  }

  #usedLayers(): Set<string> {
    const containers = this.#containers.all().flatMap((container) => container.config.layers);
    return new Set([...this.images.layers(), ...containers]);
  }

  #publish(container: Container, action: string): void {
    publishContainerEvent(this.events, container, { action });
  }
}
