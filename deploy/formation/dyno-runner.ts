import { randomBytes } from 'node:crypto';
import type { Engine } from '../engine.ts';
import type { AppLogs } from '../logs/app-log.ts';
import type { DynoLimits } from '../model/dyno-limits.ts';
import { PaasError } from '../model/paas-error.ts';
import { appNetwork } from './app-network.ts';
import { notListening, OUT_OF_MEMORY } from './boot-failure.ts';
import { type Dyno, DynoContainer, WEB_PORT } from './dyno.ts';
import type { DynoChecks } from './dyno-checks.ts';
import { dynoRequest } from './dyno-request.ts';
import { accepts, waitUntilListening } from './health-check.ts';
import { LogFollower, type LogPlace } from './log-follower.ts';

export interface DynoRunnerOptions {
  engine: Engine;
  logs: AppLogs;
  /** Milliseconds that a web dyno of an app has to bind to $PORT. */
  bootTimeoutOf: (app: string) => number;
  /** Seconds between SIGTERM and SIGKILL. */
  stopTimeout: number;
  checks: DynoChecks;
  /** A dyno became ready, or is no more. */
  onReadiness: () => void;
  limitsOf: (app: string, type: string) => DynoLimits;
  /** Ports by TCP that lead to dynos of a type, beside $PORT: those are up when they listen there. */
  portsOf: (app: string, type: string) => number[];
}

/** Fills a dyno with a container, watches it come up, empties it again; says each step in the app's log. */
export class DynoRunner {
  #options: DynoRunnerOptions;
  #containers = new Map<string, DynoContainer>();
  #closing = new AbortController();
  #follower: LogFollower;

  constructor(options: DynoRunnerOptions) {
    this.#options = options;
    this.#follower = new LogFollower({ ...options, signal: this.#closing.signal });
  }

  /** Starts a container for the dyno; resolves when it runs (not yet when it listens). */
  async start(dyno: Dyno): Promise<DynoContainer> {
    const { engine } = this.#options;
    this.say(dyno, `Starting process with command \`${dyno.command}\``);
    const { release, name, command } = dyno;
    const limits = this.#options.limitsOf(dyno.app, dyno.type);
    const request = dynoRequest({ release, name, command, limits });
    const id = await engine.create({
      ...request,
      network: appNetwork(dyno.app, [dyno.type]),
      name: `${dyno.app}.${dyno.name}.${randomBytes(4).toString('hex')}`,
      env: { ...request.env, ...(dyno.isWeb && { PORT: String(WEB_PORT) }) },
      labels: {
        ...request.labels,
        'paas.kind': 'dyno',
        'paas.type': dyno.type,
        'paas.number': String(dyno.number),
        'paas.release': String(dyno.release.version),
      },
    });
    const container = new DynoContainer(id, request.memory);
    this.#containers.set(id, container);
    dyno.container = container;
    await engine.start(id);
    container.address = (await engine.inspect(id)).address;
    container.logged = this.#followLog(dyno, container, undefined);
    if (dyno.state === 'stopping') {
      await this.stop(dyno); // given up while it was being made: another dyno of its release had failed
      throw new PaasError('conflict', `${dyno.name} was stopped before it was up.`);
    }
    return container;
  }

  /** Takes up a container that runs since before control started. The dyno is up, but for a web dyno that does not listen yet. */
  async adopt(dyno: Dyno, id: string): Promise<void> {
    const state = await this.#options.engine.inspect(id);
    const container = new DynoContainer(id);
    container.address = state.address;
    dyno.container = container;
    dyno.since = state.startedAt;
    this.#containers.set(id, container);
    const last = this.#options.logs.lastOf(dyno.app, dyno.name);
    container.logged = this.#followLog(dyno, container, last ?? { at: state.startedAt, count: 0 });
    if (dyno.isWeb && !(await this.#listensNow(container))) return;
    dyno.become('up');
    dyno.since = state.startedAt;
    this.#check(dyno);
  }

  /**
   * True when the dyno is up, false when it ended or did not listen in time (it is killed then). `replaces`: visitors of all its ports go from
   * another one to it; else a web dyno is up with $PORT, so that a port that it never opens keeps no app from coming back.
   */
  async waitUntilUp(dyno: Dyno, { replaces = false } = {}): Promise<boolean> {
    const container = dyno.container!;
    const bootTimeout = this.#options.bootTimeoutOf(dyno.app);
    const ports = this.#portsOf(dyno, replaces);
    if (ports.length === 0) return this.#markUp(dyno);
    const over = new AbortController();
    container.ended.then(() => over.abort());
    const timer = setTimeout(() => over.abort('timeout'), bootTimeout);
    const silent = await this.#silentOf(ports, { container, signal: over.signal });
    const listening = silent.length === 0;
    const problem =
      listening && dyno.isWeb ? await this.#options.checks.startUp(dyno, over.signal) : undefined;
    clearTimeout(timer);
    if (problem !== undefined) {
      container.killedFor = `failed its ${problem.startsWith('startup check') ? '' : 'startup check '}${problem}`;
      this.say(dyno, `Startup check failed: ${problem}`);
      await this.#killNow(dyno, container);
      return false;
    }
    if (listening && !over.signal.aborted) return this.#markUp(dyno);
    if (!container.exit && over.signal.reason === 'timeout') {
      const seconds = bootTimeout / 1000;
      const isWebPort = dyno.isWeb && silent.includes(WEB_PORT);
      const bind = isWebPort ? 'bind to $PORT' : `listen on port ${silent.join(' and ')}`;
      const failed = listening ? 'pass its startup checks' : bind;
      this.say(
        dyno,
        `Error R10 (Boot timeout) -> ${dyno.isWeb ? 'Web process' : 'Process'} failed to ${failed} within ${seconds} seconds of launch`,
      );
      if (isWebPort) container.killedFor = await this.#whereItListens(container, seconds);
      else
        container.killedFor = `did not ${failed} within ${seconds} seconds${listening ? '' : ', to which `ports` leads'}`;
      await this.#killNow(dyno, container);
    }
    return false;
  }

  async #whereItListens({ id }: DynoContainer, seconds: number): Promise<string> {
    const sockets = await this.#options.engine.listeningSockets(id).catch(() => undefined);
    return notListening({ port: WEB_PORT, seconds }, sockets);
  }

  async #killNow(dyno: Dyno, { id }: DynoContainer): Promise<void> {
    this.say(dyno, 'Stopping process with SIGKILL');
    await this.#options.engine.kill(id, 'SIGKILL');
  }

  /** One that is up accepts at once, and one that does not listen refuses, however busy they are: the kernel does. So it is this process alone that can take long. */
  async #listensNow({ address }: DynoContainer): Promise<boolean> {
    return address !== undefined && (await accepts({ address, port: WEB_PORT }, this.#closing.signal));
  }

  #portsOf(dyno: Dyno, replaces: boolean): number[] {
    const led = this.#options.portsOf(dyno.app, dyno.type);
    if (!dyno.isWeb) return led;
    return replaces ? [...new Set([WEB_PORT, ...led])] : [WEB_PORT];
  }

  /** Waits until it listens on all of the ports; those on which it does not when `signal` is aborted. */
  async #silentOf(
    ports: number[],
    { container, signal }: { container: DynoContainer; signal: AbortSignal },
  ): Promise<number[]> {
    const { address } = container;
    if (address === undefined) return ports;
    const listening = await Promise.all(ports.map((port) => waitUntilListening({ address, port }, signal)));
    return ports.filter((_, index) => !listening[index]);
  }

  /** SIGTERM to every process, SIGKILL after 30 s, then the container is removed. */
  async stop(dyno: Dyno): Promise<void> {
    clearTimeout(dyno.restart);
    if (dyno.state !== 'stopping') dyno.become('stopping');
    const container = dyno.container;
    if (!container) return;
    if (!container.exit) {
      this.say(dyno, 'Stopping all processes with SIGTERM');
      const began = Date.now();
      await this.#options.engine.stop(container.id, this.#options.stopTimeout);
      const state = await this.#options.engine.inspect(container.id).catch(() => undefined);
      if (Date.now() - began >= this.#options.stopTimeout * 1000) {
        this.say(
          dyno,
          `Error R12 (Exit timeout) -> At least one process failed to exit within ${this.#options.stopTimeout} seconds of SIGTERM`,
        );
      }
      container.end({ code: state?.exitCode ?? 137, oomKilled: state?.oomKilled ?? false });
      await this.sayExit(dyno, container);
    }
    await this.discard(container);
  }

  /** Its readiness and liveness checks are others now. */
  checkAnew(dyno: Dyno): void {
    if (dyno.state !== 'up' || !dyno.isWeb) return;
    const { ready } = dyno;
    this.#check(dyno);
    if (dyno.ready !== ready) this.#options.onReadiness();
  }

  /** Removes what is left of an ended container. */
  async discard(container: DynoContainer): Promise<void> {
    await within(container.logged, 1000);
    this.#containers.delete(container.id);
    await this.#options.engine.remove(container.id);
  }

  /** After the last line that it wrote itself. */
  async sayExit(dyno: Dyno, container: DynoContainer): Promise<void> {
    const exit = await container.ended;
    await within(container.logged, 1000);
    if (exit.oomKilled) this.say(dyno, OUT_OF_MEMORY);
    this.say(dyno, `Process exited with status ${exit.code}`);
  }

  /** Hears of every container's end, also of those that ended while the runtime was away; until `close`. */
  async watchEnds(onLost: (error: unknown) => void): Promise<void> {
    const signal = this.#closing.signal;
    while (!signal.aborted) {
      try {
        for await (const id of this.#options.engine.ends(signal, () => void this.#findEnded()))
          await this.#noteEnd(id);
      } catch (error) {
        onLost(error);
      }
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  close(): void {
    this.#closing.abort();
  }

  #markUp(dyno: Dyno): boolean {
    if (dyno.container?.exit || dyno.state !== 'starting') return false;
    dyno.become('up');
    dyno.unready.clear();
    this.say(dyno, 'State changed from starting to up');
    this.#check(dyno);
    return true;
  }

  /** Its readiness and liveness, for as long as it runs. */
  #check(dyno: Dyno): void {
    const container = dyno.container!;
    const over = new AbortController();
    container.checking?.abort();
    container.checking = over;
    container.ended.then(() => over.abort());
    this.#options.checks.watch(
      dyno,
      {
        onReadiness: this.#options.onReadiness,
        onDead: (_, reason) => {
          if (dyno.state !== 'up') return;
          container.killedFor = reason;
          this.#killNow(dyno, container).catch(() => {});
        },
      },
      AbortSignal.any([over.signal, this.#closing.signal]),
    );
  }

  async #findEnded(): Promise<void> {
    for (const id of this.#containers.keys()) await this.#noteEnd(id).catch(() => {});
  }

  async #noteEnd(id: string): Promise<void> {
    const container = this.#containers.get(id);
    if (!container || container.exit) return;
    try {
      const state = await this.#options.engine.inspect(id);
      if (!state.running) container.end({ code: state.exitCode, oomKilled: state.oomKilled });
    } catch (error) {
      if (/no such container/i.test(String(error))) container.end({ code: 137, oomKilled: false });
    }
  }

  #followLog(dyno: Dyno, container: DynoContainer, from: LogPlace | undefined): Promise<void> {
    const source = { app: dyno.app, dyno: dyno.name, container: container.id };
    return this.#follower.follow(source, {
      from,
      isOver: () => container.exit !== undefined,
      onLine: (text) => {
        if (dyno.state === 'starting') container.hear(text);
      },
    });
  }

  /** As a line of the dyno in its app's log. */
  say(dyno: Dyno, text: string): void {
    this.#options.logs.append(dyno.app, { source: 'paas', dyno: dyno.name, text });
  }
}

async function within(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    promise.catch(() => {}),
    new Promise((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    }),
  ]);
  clearTimeout(timer);
}
