import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../engine-error.ts';
import type { Image } from '../images/image.ts';
import type { ImageStore } from '../images/image-store.ts';
import type { LayerStore } from '../images/layer-store.ts';
import { type CommitOptions, Committer } from './committer.ts';
import { Container, type WaitCondition } from './container.ts';
import type { Access, ContainerConfig } from './container-config.ts';
import { ContainerOutput } from './container-output.ts';
import type { ContainerStore } from './container-store.ts';
import { parseCreateRequest } from './create-request.ts';
import type { Descriptors } from './descriptors.ts';
import type { EventLog } from './events.ts';
import type { ContainerExit, Kernel } from './kernel.ts';
import { Launcher } from './launcher.ts';
import type { OutputWatcher } from './output-watcher.ts';
import { parseSignal } from './signals.ts';
import { exited, failed, started } from './state.ts';

const SIGKILL = 9;
const KILL_MILLISECONDS = 30_000;
/** How long what a terminal still holds may take to arrive after its last process ended. */
const TERMINAL_END_MILLISECONDS = 200;

export interface EngineOptions {
  kernel: Kernel;
  descriptors: Descriptors;
  store: ContainerStore;
  images: ImageStore;
  layers: LayerStore;
  watcher: OutputWatcher;
  events: EventLog;
  /** Folders of raw output and of volumes. */
  output: string;
  volumes: string;
}

/** All containers, and what can be done to them. */
export class Engine {
  readonly images: ImageStore;
  readonly layers: LayerStore;
  readonly events: EventLog;
  readonly kernel: Kernel;
  readonly launcher: Launcher;
  readonly #options: EngineOptions;
  readonly #committer: Committer;
  readonly #containers = new Map<string, Container>();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.images = options.images;
    this.layers = options.layers;
    this.events = options.events;
    this.kernel = options.kernel;
    this.launcher = new Launcher(options);
    this.#committer = new Committer(options);
    this.kernel.onExit((id, exit) => this.#onExit(id, exit));
  }

  /** Takes up what an earlier runtime left: what still runs goes on, what ended meanwhile is told. */
  async open(): Promise<void> {
    for (const stored of this.#options.store.open()) {
      this.#containers.set(stored.config.id, new Container(stored, this.#outputOf(stored.config.id)));
    }
    const ended: Promise<void>[] = [];
    for (const container of this.#containers.values()) {
      const exit = this.#adopt(container);
      if (exit) ended.push(this.#end(container, exit));
    }
    await Promise.all(ended);
    const running = this.list('root').filter((container) => container.running);
    await this.kernel.cleanUp(new Set(running.map((container) => container.id)));
    this.layers.removeUnused(this.#usedLayers());
    this.#removeForeignOutput();
  }

  /** Newest first; only those that `access` may see. */
  list(access: Access): Container[] {
    return [...this.#containers.values()]
      .filter((container) => mayAccess(access, container))
      .sort((a, b) => (a.config.created < b.config.created ? 1 : -1));
  }

  /** By id, name, or a prefix of the id. Throws `not_found`, also for one that `access` may not see. */
  find(reference: string, access: Access): Container {
    const name = reference.replace(/^\//, '');
    const known = this.#containers.get(name) ?? this.#findByName(name) ?? this.#findByPrefix(name);
    if (!known || !mayAccess(access, known))
      throw new EngineError('not_found', `No such container: ${reference}`);
    return known;
  }

  /** `body` as of `POST /containers/create`. Throws `invalid`, `not_found` (image), `conflict` (name). */
  create(body: unknown, options: { name: string | undefined; access: Access }): Container {
    const imageName = String((body as { Image?: unknown } | null)?.Image ?? '');
    const image = this.images.find(imageName);
    const request = parseCreateRequest(body, image.config);
    const id = randomBytes(32).toString('hex');
    const config: ContainerConfig = {
      id,
      name: this.#claimName(options.name ?? id.slice(0, 12)),
      created: new Date().toISOString(),
      image: image.id,
      imageName,
      layers: image.layers,
      origin: options.access,
      ...request,
    };
    const container = new Container({ config, state: { status: 'created' } }, this.#outputOf(id));
    this.launcher.userOf(config, config.process.User);
    this.#options.store.create(container);
    this.#containers.set(id, container);
    this.#publish(container, 'create');
    return container;
  }

  /** Returns false if it runs already. Throws what made the start fail; the state tells it, too. */
  async start(container: Container): Promise<boolean> {
    if (container.running) return false;
    await container.exclusively('being started', async () => {
      await container.released;
      container.earlyExit = undefined;
      try {
        const process = await this.launcher.start(container);
        this.#setState(container, started(container.state, process, new Date()));
      } catch (error) {
        await this.#onFailedStart(container, error as Error);
      }
    });
    this.#publish(container, 'start');
    if (container.earlyExit) this.#endLater(container, container.earlyExit);
    return true;
  }

  /** Asks it to end, and ends it after `seconds`. Returns false if it does not run. */
  async stop(container: Container, options: { seconds?: number; signal?: string }): Promise<boolean> {
    if (!container.running) return false;
    const { StopSignal, StopTimeout } = container.config.process;
    this.#signal(container, parseSignal(options.signal ?? StopSignal));
    const seconds = options.seconds ?? StopTimeout;
    if (seconds < 0 || !(await container.endsWithin(seconds * 1000))) await this.#killAndWait(container);
    this.#publish(container, 'stop');
    return true;
  }

  /** Throws `conflict` if it does not run. */
  kill(container: Container, signal: string): void {
    const number = parseSignal(signal);
    if (!container.running) {
      throw new EngineError('conflict', `Container ${container.id.slice(0, 12)} is not running.`);
    }
    this.#signal(container, number);
    this.#publish(container, 'kill', { signal: String(number) });
  }

  wait(container: Container, condition: WaitCondition, signal: AbortSignal): Promise<number> {
    return container.wait(condition, signal);
  }

  /** Throws `conflict` if it runs, unless by `force`. */
  async remove(container: Container, options: { force: boolean }): Promise<void> {
    if (container.running && !options.force) {
      throw new EngineError(
        'conflict',
        `Container ${container.id.slice(0, 12)} is running: stop it before removing it, or force the removal.`,
      );
    }
    if (container.running) await this.#killAndWait(container);
    // Meanwhile AutoRemove may have done it.
    if (!this.#containers.has(container.id)) return;
    await container.exclusively('being removed', async () => {
      this.#options.store.remove(container.id);
      this.#containers.delete(container.id);
    });
    this.removeUnusedLayers(container.config.layers);
    this.#publish(container, 'destroy');
    container.tell('removed');
  }

  commit(container: Container, options: CommitOptions): Promise<Image> {
    return container.exclusively('being committed', async () => {
      const image = await this.#committer.commit(container, options);
      this.#publish(container, 'commit');
      return image;
    });
  }

  /** Discards those of these layers that no image and no container has. */
  removeUnusedLayers(layers: string[]): void {
    const used = this.#usedLayers();
    if (layers.some((layer) => !used.has(layer))) this.layers.removeUnused(used);
  }

  /** Whether a container was made from this image. */
  uses(image: Image): Container | undefined {
    return [...this.#containers.values()].find((container) => container.config.image === image.id);
  }

  resize(container: Container, size: { rows: number; columns: number }): void {
    container.terminalSize = size;
    container.terminal?.resize(size, this.#options.descriptors.resizeTerminal);
  }

  #removeForeignOutput(): void {
    for (const id of readdirSync(this.#options.output)) {
      if (!this.#containers.has(id)) rmSync(join(this.#options.output, id), { recursive: true });
    }
  }

  #outputOf(id: string): ContainerOutput {
    const { store, output, descriptors } = this.#options;
    return new ContainerOutput(store.folder(id), {
      rawPath: join(output, id),
      punchHole: descriptors.punchHole,
    });
  }

  /** Returns how it ended, if it ended without us. */
  #adopt(container: Container): ContainerExit | undefined {
    if (container.state.status !== 'running') return undefined;
    const adopted = this.kernel.adopt(container.id, container.state.process);
    this.launcher.resume(container);
    if (adopted?.running) return undefined;
    const code = this.#options.store.readExitCode(container.id) ?? 128 + SIGKILL;
    return adopted?.exit ?? { code, oomKilled: false };
  }

  #findByName(name: string): Container | undefined {
    return [...this.#containers.values()].find((container) => container.config.name === name);
  }

  #findByPrefix(prefix: string): Container | undefined {
    if (!/^[0-9a-f]{4,63}$/.test(prefix)) return undefined;
    const matches = [...this.#containers.values()].filter((container) => container.id.startsWith(prefix));
    return matches.length === 1 ? matches[0] : undefined;
  }

  #claimName(name: string): string {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name)) {
      throw new EngineError(
        'invalid',
        `"${name}" is not a container name: letters, digits, "_", "." and "-".`,
      );
    }
    const holder = this.#findByName(name);
    if (!holder) return name;
    throw new EngineError(
      'conflict',
      `Conflict. The container name "/${name}" is already in use by container "${holder.id}".`,
    );
  }

  async #onFailedStart(container: Container, error: Error): Promise<never> {
    const exitCode = (error as { exitCode?: number }).exitCode ?? 128;
    this.#setState(container, failed(container.state, { exitCode, error: error.message, now: new Date() }));
    this.launcher.disconnect(container);
    container.output.discard();
    this.#release(container);
    container.tell('exited');
    if (container.config.host.AutoRemove) setImmediate(() => this.#removeLater(container));
    throw error;
  }

  #onExit(id: string, exit: ContainerExit): void {
    const container = this.#containers.get(id);
    if (!container) return;
    if (container.running) this.#endLater(container, exit);
    else container.earlyExit = exit;
  }

  #release(container: Container): void {
    container.released = this.kernel
      .release(container.id)
      .catch((error) => console.error(`Releasing what ${container.id} had in the kernel:`, error));
  }

  #endLater(container: Container, exit: ContainerExit): void {
    this.#end(container, exit).catch((error) => console.error(`After the end of ${container.id}:`, error));
  }

  /** Its last process is gone: takes the rest of its output, then tells everybody. */
  async #end(container: Container, exit: ContainerExit): Promise<void> {
    await terminalEnd(container);
    await container.output.finish();
    this.launcher.disconnect(container);
    this.#release(container);
    this.#setState(container, exited(container.state, exit, new Date()));
    if (exit.oomKilled) this.#publish(container, 'oom');
    this.#publish(container, 'die', { exitCode: String(exit.code) });
    container.tell('exited');
    if (container.config.host.AutoRemove) this.#removeLater(container);
  }

  #removeLater(container: Container): void {
    this.remove(container, { force: false }).catch((error) =>
      console.error(`Removing ${container.id}:`, error),
    );
  }

  async #killAndWait(container: Container): Promise<void> {
    this.#signal(container, SIGKILL);
    if (await container.endsWithin(KILL_MILLISECONDS)) return;
    throw new EngineError(
      'unavailable',
      `Container ${container.id.slice(0, 12)} does not end, not even by SIGKILL.`,
    );
  }

  /** A container whose last process has just ended needs no signal. */
  #signal(container: Container, signal: number): void {
    try {
      this.kernel.kill(container.id, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  #setState(container: Container, state: Container['state']): void {
    container.state = state;
    try {
      this.#options.store.saveState(container.id, state);
    } catch (error) {
      // On a full disk life goes on; the next runtime finds out by itself what has become of the process.
      console.error(`Could not save the state of ${container.id}:`, error);
    }
  }

  #usedLayers(): Set<string> {
    const containers = [...this.#containers.values()].flatMap((container) => container.config.layers);
    return new Set([...this.images.layers(), ...containers]);
  }

  #publish(container: Container, action: string, attributes: Record<string, string> = {}): void {
    const { imageName, name, process } = container.config;
    this.events.publish({
      Type: 'container',
      Action: action,
      id: container.id,
      origin: container.config.origin,
      attributes: { image: imageName, name, ...process.Labels, ...attributes },
    });
  }
}

function mayAccess(access: Access, container: Container): boolean {
  return access === 'root' || container.config.origin === 'platform';
}

async function terminalEnd(container: Container): Promise<void> {
  const { terminal } = container;
  if (!terminal || terminal.closed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, TERMINAL_END_MILLISECONDS);
    terminal.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
