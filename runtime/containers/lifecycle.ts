import { EngineError } from '../engine-error.ts';
import type { Container } from './container.ts';
import { publishContainerEvent } from './container-events.ts';
import type { ContainerNetworks } from './container-networks.ts';
import type { ContainerStore } from './container-store.ts';
import type { EventLog } from './events.ts';
import type { ContainerExit, Kernel } from './kernel.ts';
import type { Launcher } from './launcher.ts';
import { parseSignal } from './signals.ts';
import { type ContainerState, exited, failed, started } from './state.ts';

const SIGKILL = 9;
const KILL_MILLISECONDS = 30_000;
/** How long what a terminal still holds may take to arrive after its last process ended. */
const TERMINAL_END_MILLISECONDS = 200;

export interface LifecycleOptions {
  kernel: Kernel;
  store: ContainerStore;
  launcher: Launcher;
  networks: ContainerNetworks;
  events: EventLog;
  find: (id: string) => Container | undefined;
  /** Takes the container out of the engine; called when it ended and is to be removed by itself. */
  remove: (container: Container) => Promise<void>;
}

/** Brings containers from state to state: starts their processes, ends them, and notices their end. */
export class Lifecycle {
  readonly #options: LifecycleOptions;

  constructor(options: LifecycleOptions) {
    this.#options = options;
    options.kernel.onExit((id, exit) => this.#onExit(id, exit));
  }

  /** Takes up a container of an earlier runtime; one that ended meanwhile is told of. */
  async adopt(container: Container): Promise<void> {
    const exit = this.#adoptProcess(container);
    if (exit) await this.#end(container, exit);
  }

  /** Returns false if it runs already. Throws what made the start fail; the state tells it, too. */
  async start(container: Container): Promise<boolean> {
    if (container.running) return false;
    await container.exclusively('being started', async () => {
      await container.released;
      container.earlyExit = undefined;
      try {
        const process = await this.#options.launcher.start(container);
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
    if (seconds < 0 || !(await container.endsWithin(seconds * 1000))) await this.killAndWait(container);
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

  async killAndWait(container: Container): Promise<void> {
    this.#signal(container, SIGKILL);
    if (await container.endsWithin(KILL_MILLISECONDS)) return;
    throw new EngineError(
      'unavailable',
      `Container ${container.id.slice(0, 12)} does not end, not even by SIGKILL.`,
    );
  }

  /** Returns how it ended, if it ended without us. */
  #adoptProcess(container: Container): ContainerExit | undefined {
    if (container.state.status !== 'running') return undefined;
    const { kernel, networks } = this.#options;
    const adopted = kernel.adopt(container.id, container.state.process, networks.trafficOf(container.config));
    this.#options.launcher.resume(container);
    if (adopted?.running) return undefined;
    const code = this.#options.store.readExitCode(container.id) ?? 128 + SIGKILL;
    return adopted?.exit ?? { code, oomKilled: false };
  }

  async #onFailedStart(container: Container, error: Error): Promise<never> {
    const exitCode = (error as { exitCode?: number }).exitCode ?? 128;
    this.#setState(container, failed(container.state, { exitCode, error: error.message, now: new Date() }));
    this.#options.launcher.disconnect(container);
    container.output.discard();
    this.#release(container);
    container.tell('exited');
    if (container.config.host.AutoRemove) setImmediate(() => this.#removeLater(container));
    throw error;
  }

  #onExit(id: string, exit: ContainerExit): void {
    const container = this.#options.find(id);
    if (!container) return;
    if (container.running) this.#endLater(container, exit);
    else container.earlyExit = exit;
  }

  #release(container: Container): void {
    container.released = this.#options.kernel
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
    this.#options.launcher.disconnect(container);
    this.#release(container);
    this.#setState(container, exited(container.state, exit, new Date()));
    if (exit.oomKilled) this.#publish(container, 'oom');
    this.#publish(container, 'die', { exitCode: String(exit.code) });
    container.tell('exited');
    if (container.config.host.AutoRemove) this.#removeLater(container);
  }

  #removeLater(container: Container): void {
    this.#options.remove(container).catch((error) => console.error(`Removing ${container.id}:`, error));
  }

  /** A container whose last process has just ended needs no signal. */
  #signal(container: Container, signal: number): void {
    try {
      this.#options.kernel.kill(container.id, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  #setState(container: Container, state: ContainerState): void {
    container.state = state;
    try {
      this.#options.store.saveState(container.id, state);
    } catch (error) {
      // On a full disk life goes on; the next runtime finds out by itself what has become of the process.
      console.error(`Could not save the state of ${container.id}:`, error);
    }
  }

  #publish(container: Container, action: string, attributes: Record<string, string> = {}): void {
    publishContainerEvent(this.#options.events, container, { action, attributes });
  }
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
