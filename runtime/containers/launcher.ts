import { closeSync, mkdirSync, realpathSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { EngineError } from '../engine-error.ts';
import type { LayerStore } from '../images/layer-store.ts';
import { readUserDatabase } from '../images/user-database.ts';
import type { VolumeFiller } from '../volumes/volume-filler.ts';
import type { VolumeStore } from '../volumes/volume-store.ts';
import type { Container } from './container.ts';
import { type ContainerConfig, isVolatile } from './container-config.ts';
import type { ContainerNetworks } from './container-networks.ts';
import { STDERR_SUFFIX } from './container-output.ts';
import type { ContainerStore } from './container-store.ts';
import type { Descriptors } from './descriptors.ts';
import { DISK_FOLDER, diskImage } from './disk/disk-folders.ts';
import { DiskImages } from './disk/disk-image.ts';
import { HeldDescriptors } from './held-descriptors.ts';
import type { Kernel, LaunchSpec, StartedProcess } from './kernel.ts';
import { bindsOf, launchSpec, rootfsOf } from './launch.ts';
import { type MountPoint, mountsOf, type VolumeMount } from './mount-points.ts';
import type { OutputWatcher } from './output-watcher.ts';
import { TerminalStream } from './terminal-stream.ts';
import { resolveUser, type User } from './user.ts';

export interface LauncherOptions {
  kernel: Kernel;
  store: ContainerStore;
  layers: LayerStore;
  descriptors: Descriptors;
  watcher: OutputWatcher;
  volumes: VolumeStore;
  filler: VolumeFiller;
  networks: ContainerNetworks;
}

/** Starts containers' processes and connects their input and output. */
export class Launcher {
  readonly #options: LauncherOptions;
  readonly #disks: DiskImages;

  constructor(options: LauncherOptions) {
    this.#options = options;
    this.#disks = new DiskImages(options.descriptors);
  }

  /** Starts the main process. Throws `invalid` for what the image or the host lacks, and what the kernel side throws. */
  async start(container: Container): Promise<StartedProcess> {
    const { store, kernel } = this.#options;
    const user = this.userOf(container.config, container.config.process.User);
    this.#options.networks.requireNetworks(container.config);
    for (const mount of mountsOf(container.config)) await this.#prepareMount(container, mount);
    await this.#prepareFolders(container, { fresh: isVolatile(container.config) });
    using held = new HeldDescriptors();
    const stdio = container.config.process.Tty ? undefined : this.#openStdio(container, held);
    try {
      const process = await kernel.start(
        launchSpec(container.config, {
          user,
          folder: store.folder(container.id),
          volumes: this.#options.volumes,
          layerPath: (id) => this.#options.layers.path(id),
          stdio: stdio ?? { terminal: container.terminalSize },
          traffic: this.#options.networks.trafficOf(container.config),
        }),
      );
      if (process.terminal !== undefined) connectTerminal(container, process.terminal);
      if (stdio) this.#watchOutput(container);
      if (stdio?.input !== undefined) connectStdin(container, stdio.input);
      return process;
    } catch (error) {
      if (stdio?.input !== undefined) closeSync(stdio.input);
      throw error;
    }
  }

  /** Goes on with the output of a container that an earlier runtime started; `pipes` as `Kernel.adopt` gives them. */
  resume(container: Container, pipes: number[]): void {
    if (container.config.process.Tty) container.output.openTerminal(() => {});
    else {
      container.output.openRaw(pipes);
      this.#watchOutput(container);
    }
  }

  /** Forgets the output of a container that has ended. */
  disconnect(container: Container): void {
    for (const name of [container.id, container.id + STDERR_SUFFIX]) this.#options.watcher.remove(name);
    container.stdin?.destroy();
    container.renewStdin();
    container.terminal?.destroy();
    container.terminal = undefined;
  }

  /** Gets the files of a container that does not run ready to be mounted, as for a start. */
  async prepareFiles(container: Container): Promise<Pick<LaunchSpec, 'rootfs' | 'binds'>> {
    const { config } = container;
    for (const mount of mountsOf(config)) await this.#prepareMount(container, mount);
    await this.#prepareFolders(container, { fresh: false });
    const folder = this.#options.store.folder(container.id);
    const rootfs = rootfsOf(config, { folder, layerPath: (id) => this.#options.layers.path(id) });
    return { rootfs, binds: bindsOf(config, this.#options.volumes) };
  }

  /** Throws `invalid` for a user that the container's image does not know. */
  userOf(config: ContainerConfig, name: string): User {
    const layers = config.layers.map((id) => this.#options.layers.path(id)).reverse();
    return resolveUser(name, (database) => readUserDatabase(layers, database));
  }

  async #prepareFolders({ id, config }: Container, { fresh }: { fresh: boolean }): Promise<void> {
    const { store } = this.#options;
    store.prepareStart(id, { fresh });
    const size = config.host.DiskSize;
    if (!size) return;
    mkdirSync(join(store.folder(id), DISK_FOLDER), { recursive: true, mode: 0o700 });
    await this.#disks.prepare(diskImage(store.folder(id)), { size, fresh });
  }

  #openStdio(container: Container, held: HeldDescriptors) {
    const output = container.output.openForContainer(held);
    if (!container.config.process.OpenStdin) return { stdin: undefined, ...output, input: undefined };
    const { read, write } = this.#options.descriptors.openPipe();
    held.add({ stdin: read });
    return { stdin: read, ...output, input: write };
  }

  /** Not before the process runs: the watcher also tells that the files were made. */
  #watchOutput({ id, output }: Container): void {
    for (const name of [id, id + STDERR_SUFFIX]) this.#options.watcher.add(name, () => output.wake());
    output.wake();
  }

  /** A new volume gets the image's files; a path must be there, and be what it says: no symbolic link anywhere in it. */
  async #prepareMount(container: Container, mount: MountPoint): Promise<void> {
    if (mount.type === 'volume') return this.#prepareVolume(container, mount);
    if (realPath(mount.source) === mount.source) return;
    throw new EngineError(
      'invalid',
      `The bind source "${mount.source}" does not exist, or is a symbolic link in some part.`,
    );
  }

  async #prepareVolume({ config }: Container, mount: VolumeMount): Promise<void> {
    const { volumes, filler, layers } = this.#options;
    const volume = volumes.ensure(mount.name, { access: config.origin });
    volumes.requireFolder(mount.name);
    if (!volume.fresh) return;
    await filler.fill(volume, {
      layers: mount.noCopy ? [] : config.layers.map((id) => layers.path(id)).reverse(),
      target: mount.target,
      owner: this.userOf(config, config.process.User),
    });
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}

function connectStdin(container: Container, fd: number): void {
  const pipe = new Socket({ fd, readable: false, writable: true });
  // EPIPE: the app does not read any more.
  pipe.on('error', () => container.stdin?.resume());
  container.stdin?.pipe(pipe);
}

function connectTerminal(container: Container, fd: number): void {
  const terminal = new TerminalStream(fd);
  container.terminal = terminal;
  container.output.openTerminal(() => terminal.resume());
  terminal.on('data', (chunk: Buffer) => {
    if (!container.output.write(chunk)) terminal.pause();
  });
  container.stdin?.pipe(terminal, { end: false });
}
