import { EngineError } from '../engine-error.ts';
import { turns } from '../turns.ts';
import { adoptProcess } from './adoption.ts';
import type { Container } from './container.ts';
import { publishContainerEvent } from './container-events.ts';
import type { ContainerNetworks } from './container-networks.ts';
import type { ContainerStore } from './container-store.ts';
import type { EventLog } from './events.ts';
import type { HealthChecks } from './health-checks.ts';
import type { ContainerExit, Kernel } from './kernel.ts';
import { takeLastOutput } from './last-output.ts';
import type { Launcher } from './launcher.ts';
import { restartDelay, startsWithRuntime } from './restart-policy.ts';
import { RestartTimers } from './restart-timers.ts';
import { parseSignal } from './signals.ts';
import {
  type ContainerState,
  exited,
  failed,
  givenUp,
  isAlive,
  paused,
  secondsRun,
  started,
  stopping,
  unpaused,
} from './state.ts';

const SIGKILL = 9;
const KILL_MILLISECONDS = 30_000;

export interface LifecycleOptions {
  kernel: Kernel;
  store: ContainerStore;
  launcher: Launcher;
  networks: ContainerNetworks;
  events: EventLog;
  health: HealthChecks;
  find: (id: string) => Container | undefined;
  /** Takes the container out of the engine; called when it ended and is to be removed by itself. */
  remove: (container: Container) => Promise<void>;
}

export interface StopOptions {
  /** After so many it is killed; below 0: never. */
  seconds?: number;
  signal?: string;
}

/** Brings containers from state to state: starts their processes, ends them, notices their end, and brings them back. */
export class Lifecycle {
  readonly #options: LifecycleOptions;
  readonly #timers: RestartTimers;
  /** Containers that are about to be started again, one entry for each request: they do not remove themselves. */
  readonly #kept: Container[] = [];

  constructor(options: LifecycleOptions) {
    this.#options = options;
    this.#timers = new RestartTimers((container) => this.#restartByPolicy(container));
    options.kernel.onExit((id, exit) => this.#onExit(id, exit));
  }

  /** Takes up a container of an earlier runtime; one that ended meanwhile is told of. */
  async adopt(container: Container): Promise<void> {
    if (!isAlive(container.state)) return;
    const exit = adoptProcess(container, this.#options);
    if (exit) await this.#end(container, exit);
    else if (!this.#isPaused(container)) this.#options.health.resume(container);
  }

  /** When all are taken up: brings those back that their restart policy wants. */
  open(containers: Container[]): void {
    for (const container of containers) {
      const { state, config } = container;
      if (state.status !== 'exited' || !startsWithRuntime(config.host.RestartPolicy, state)) continue;
      this.start(container).catch((error) => console.error(`Starting ${container.id}:`, error));
    }
    this.#timers.open(containers);
  }

  /** Brings nothing back any more, and looks at nothing; what runs goes on. */
  close(): void {
    this.#timers.close();
    this.#options.health.close();
  }

  /** Returns false if it runs already. Throws what made the start fail; the state tells it, too. */
  async start(container: Container): Promise<boolean> {
    while (container.busy) await container.idle();
    if (this.#isPaused(container)) {
      throw new EngineError('conflict', 'cannot start a paused container, try unpause instead');
    }
    if (container.running || container.restarting) return false;
    await this.#start(container);
    return true;
  }

  /** Asks it to end, and ends it after `seconds`. Returns false if it does not run. */
  async stop(container: Container, options: StopOptions): Promise<boolean> {
    const signal = parseSignal(options.signal ?? container.config.process.StopSignal);
    await container.idle();
    if (!container.running && !container.restarting) return false;
    if (container.restarting) this.#giveUp(container);
    else await this.#stopProcess(container, { ...options, signal });
    this.#publish(container, 'stop');
    return true;
  }

  /** Ends it if it runs, and starts it. */
  async restart(container: Container, options: StopOptions): Promise<void> {
    this.#kept.push(container);
    try {
      await this.stop(container, options);
      await this.start(container);
    } finally {
      this.#kept.splice(this.#kept.indexOf(container), 1);
    }
    this.#publish(container, 'restart');
  }

  /** Throws `conflict` if it does not run. After SIGKILL it has ended, as with Docker: it can be removed. */
  async kill(container: Container, signal: string): Promise<void> {
    const number = parseSignal(signal);
    await container.idle();
    const isEnd = number === SIGKILL || number === parseSignal(container.config.process.StopSignal);
    if (container.restarting && isEnd) this.#giveUp(container);
    else if (container.running) this.#sendSignal(container, { signal: number, isEnd });
    else throw new EngineError('conflict', `Container ${container.id.slice(0, 12)} is not running.`);
    if (number === SIGKILL) await this.#requireEnd(container);
  }

  /** Stops its processes where they stand. Throws `conflict`, and `unavailable` if the kernel cannot. */
  async pause(container: Container): Promise<void> {
    while (container.busy) await container.idle();
    await container.exclusively('being paused', async () => {
      paused(container.state);
      await whileItRuns(container, () => this.#options.kernel.pause(container.id));
      this.#setState(container, paused(container.state));
    });
    this.#options.health.suspend(container);
    this.#publish(container, 'pause');
  }

  /** Throws `conflict`. */
  async unpause(container: Container): Promise<void> {
    await container.idle();
    unpaused(container.state);
    await whileItRuns(container, () => this.#letGo(container));
  }

  /** Ends it at once, if it runs, and for good. */
  async end(container: Container): Promise<void> {
    await container.idle();
    if (container.restarting) this.#giveUp(container);
    if (!container.running) return;
    this.#setState(container, stopping(container.state));
    ifItIsThere(() => this.#options.kernel.end(container.id));
    this.#publish(container, 'kill', { signal: String(SIGKILL) });
    await this.#requireEnd(container);
  }

  async #start(container: Container): Promise<void> {
    await container.exclusively('being started', async () => {
      // Whoever waited for this may have waited for its removal.
      if (this.#options.find(container.id) !== container)
        throw new EngineError('not_found', `No such container: ${container.id}`);
      await container.released;
      container.earlyExit = undefined;
      try {
        const process = await this.#options.launcher.start(container);
        this.#setState(container, started(container.state, process, new Date()));
      } catch (error) {
        this.#onFailedStart(container, error as Error);
      }
    });
    this.#options.health.begin(container);
    this.#publish(container, 'start');
    if (container.earlyExit) this.#endLater(container, container.earlyExit);
  }

  async #restartByPolicy(container: Container): Promise<void> {
    try {
      await container.idle();
      if (container.restarting) await this.#start(container);
    } catch (error) {
      console.error(`Restarting ${container.id}:`, (error as Error).message);
    }
  }

  async #stopProcess(container: Container, options: { seconds?: number; signal: number }): Promise<void> {
    this.#sendSignal(container, { signal: options.signal, isEnd: true });
    const seconds = options.seconds ?? container.config.process.StopTimeout;
    if (seconds < 0) await container.wait('not-running', new AbortController().signal);
    else if (!(await container.endsWithin(seconds * 1000))) await this.#killAndWait(container);
  }

  /** One that is to end must run for that; other signals wait in a paused one. */
  #sendSignal(container: Container, { signal, isEnd }: { signal: number; isEnd: boolean }): void {
    if (isEnd) this.#setState(container, stopping(container.state));
    this.#signal(container, signal);
    if (isEnd && this.#isPaused(container)) this.#letGo(container);
  }

  #letGo(container: Container): void {
    this.#options.kernel.unpause(container.id);
    this.#setState(container, unpaused(container.state));
    this.#options.health.resume(container);
    this.#publish(container, 'unpause');
  }

  #giveUp(container: Container): void {
    this.#timers.cancel(container);
    this.#setState(container, givenUp(container.state));
    container.tell('exited');
  }

  async #killAndWait(container: Container): Promise<void> {
    this.#signal(container, SIGKILL);
    await this.#requireEnd(container);
  }

  async #requireEnd(container: Container): Promise<void> {
    if (await container.endsWithin(KILL_MILLISECONDS)) return;
    throw new EngineError(
      'unavailable',
      `Container ${container.id.slice(0, 12)} does not end, not even by SIGKILL.`,
    );
  }

  #onFailedStart(container: Container, error: Error): never {
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
    const now = new Date();
    this.#options.health.end(container);
    // Whatever becomes of its output, it has ended.
    await takeLastOutput(container).catch((error) =>
      console.error(`Could not take the last output of ${container.id}:`, error),
    );
    await turns.next();
    this.#options.launcher.disconnect(container);
    this.#release(container);
    const { RestartPolicy, AutoRemove } = container.config.host;
    const restart = restartDelay(RestartPolicy, { state: container.state, exitCode: exit.code, now });
    this.#setState(container, exited(container.state, exit, { now, restart }));
    if (exit.oomKilled) this.#publish(container, 'oom');
    this.#publish(container, 'die', {
      exitCode: String(exit.code),
      execDuration: secondsRun(container.state, now),
    });
    container.tell('exited');
    this.#timers.schedule(container);
    if (AutoRemove && !this.#kept.includes(container)) this.#removeLater(container);
  }

  #removeLater(container: Container): void {
    this.#removeWhenIdle(container).catch((error) => console.error(`Removing ${container.id}:`, error));
  }

  async #removeWhenIdle(container: Container): Promise<void> {
    while (container.busy) await container.idle();
    await this.#options.remove(container);
  }

  #signal(container: Container, signal: number): void {
    ifItIsThere(() => this.#options.kernel.kill(container.id, signal));
    this.#publish(container, 'kill', { signal: String(signal) });
  }

  #isPaused(container: Container): boolean {
    return container.state.status === 'paused';
  }

  #setState(container: Container, state: ContainerState): void {
    container.state = state;
    try {
      this.#options.store.saveState(container.id, state);
    } catch (error) {
      // On a full or broken disk life goes on; the next runtime finds out by itself what has become of the process.
      console.error(`Could not save the state of ${container.id}:`, error);
    }
  }

  #publish(container: Container, action: string, attributes: Record<string, string> = {}): void {
    publishContainerEvent(this.#options.events, container, { action, attributes });
  }
}

/** A container whose last process has just ended needs no signal. */
function ifItIsThere(send: () => void): void {
  try {
    send();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** What the kernel says of a container that ends meanwhile is no failure of ours. Throws `conflict`. */
async function whileItRuns(container: Container, work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof EngineError || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new EngineError('conflict', `Container ${container.id.slice(0, 12)} is not running.`, {
      cause: error,
    });
  }
}
