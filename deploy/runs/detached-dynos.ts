import { randomInt } from 'node:crypto';
import type { ContainerSummary, Engine } from '../engine.ts';
import { OUT_OF_MEMORY } from '../formation/boot-failure.ts';
import { LogFollower, type LogPlace } from '../formation/log-follower.ts';
import type { AppLogs } from '../logs/app-log.ts';
import type { DynoLimits } from '../model/dyno-limits.ts';
import type { Release } from '../model/release.ts';
import type { RunView } from '../platform/runs.ts';
import { runRequest } from './run-request.ts';

/** Between SIGTERM and SIGKILL. */
const STOP_SECONDS = 30;
const RETRY_MS = 500;
/** How long the last lines may take from the container's log to the app's. */
const LOG_END_MS = 2000;

export interface DetachedRequest {
  release: Release;
  /** `run` or `cron`: `run.4711` */
  prefix: string;
  command: string;
  user: string;
  limits: DynoLimits;
  /** Seconds; after them it is stopped. */
  timeLimit?: number;
  labels?: Record<string, string>;
}

/** A one-off dyno that nobody is attached to. */
export interface DetachedDyno extends RunView {
  id: string;
  labels: Record<string, string>;
}

export interface DetachedEnd {
  status: number;
  /** It was stopped at the end of its time. */
  timedOut: boolean;
}

/** One-off dynos in the background: their output goes to the app's log, and a restart of control leaves them alone. */
export class DetachedDynos {
  #engine: Engine;
  #logs: AppLogs;
  #closing = new AbortController();
  #follower: LogFollower;
  #running = new Map<string, DetachedDyno>();
  #requireApp: (name: string) => void;
  #onEnd: (dyno: DetachedDyno, end: DetachedEnd) => void = () => {};

  /** `requireApp` throws `not_found`. */
  constructor(options: { engine: Engine; logs: AppLogs; requireApp: (name: string) => void }) {
    this.#requireApp = options.requireApp;
    this.#engine = options.engine;
    this.#logs = options.logs;
    this.#follower = new LogFollower({ ...options, signal: this.#closing.signal });
  }

  /** Called for every end, also of one that an earlier control began. */
  onEnd(listener: (dyno: DetachedDyno, end: DetachedEnd) => void): void {
    this.#onEnd = listener;
  }

  list(app: string): DetachedDyno[] {
    return [...this.#running.values()].filter((dyno) => dyno.app === app);
  }

  async start(request: DetachedRequest): Promise<DetachedDyno> {
    const { release, prefix, command, user, limits, timeLimit } = request;
    const name = `${prefix}.${randomInt(1000, 10_000)}`;
    const wanted = runRequest(release, { name, limits, stdin: false }, { command });
    const labels = {
      ...wanted.labels,
      ...request.labels,
      'paas.detached': name,
      'paas.command': command,
      'paas.user': user,
      'paas.release': String(release.version),
      ...(timeLimit !== undefined && { 'paas.deadline': String(Date.now() + timeLimit * 1000) }),
    };
    const id = await this.#engine.create({ ...wanted, labels });
    try {
      await this.#engine.start(id);
      // Destroyed meanwhile: whoever did it has stopped those that there were.
      this.#requireApp(release.app);
    } catch (error) {
      await this.#engine.remove(id);
      throw error;
    }
    this.#say({ app: release.app, name }, `Starting process with command \`${command}\` by user ${user}`);
    const dyno = dynoOf({ id, labels, running: true }, new Date());
    this.#keep(dyno, undefined);
    return dyno;
  }

  /** SIGTERM, and SIGKILL after a while. Resolves when it has ended. */
  async stop(dyno: DetachedDyno): Promise<void> {
    await this.#engine.stop(dyno.id, STOP_SECONDS);
  }

  /** Takes up one that an earlier control began; false where the container is none. */
  async adopt(container: ContainerSummary): Promise<boolean> {
    if (container.labels['paas.detached'] === undefined) return false;
    const { startedAt } = await this.#engine.inspect(container.id);
    const dyno = dynoOf(container, startedAt);
    this.#keep(dyno, this.#logs.lastOf(dyno.app, dyno.name) ?? { at: startedAt, count: 0 });
    return true;
  }

  /** They run on. */
  close(): void {
    this.#closing.abort();
  }

  #keep(dyno: DetachedDyno, from: LogPlace | undefined): void {
    this.#running.set(dyno.id, dyno);
    void this.#watch(dyno, from);
  }

  async #watch(dyno: DetachedDyno, from: LogPlace | undefined): Promise<void> {
    let over = false;
    const source = { app: dyno.app, dyno: dyno.name, container: dyno.id };
    const logged = this.#follower.follow(source, { from, isOver: () => over });
    const deadline = Number(dyno.labels['paas.deadline'] ?? Number.POSITIVE_INFINITY);
    let timedOut = false;
    const timer = atTime(deadline, () => {
      timedOut = true;
      this.#say(dyno, 'Stopping process with SIGTERM: its time is over');
      this.stop(dyno).catch(() => {});
    });
    const status = await this.#ended(dyno.id);
    clearTimeout(timer);
    if (status === undefined) return;
    over = true;
    await Promise.race([logged, new Promise((resolve) => setTimeout(resolve, LOG_END_MS).unref())]);
    if (await this.#engine.ranOutOfMemory(dyno.id)) this.#say(dyno, OUT_OF_MEMORY);
    this.#say(dyno, `Process exited with status ${status}`);
    this.#running.delete(dyno.id);
    this.#onEnd(dyno, { status, timedOut });
    await this.#engine.remove(dyno.id).catch(() => {});
  }

  /** Its exit status, also across restarts of the runtime; undefined: this control ends first. */
  async #ended(id: string): Promise<number | undefined> {
    while (!this.#closing.signal.aborted) {
      try {
        return await this.#engine.wait(id);
      } catch (error) {
        if (/no such container/i.test(String(error))) return 137;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    return undefined;
  }

  #say({ app, name }: { app: string; name: string }, text: string): void {
    this.#logs.append(app, { source: 'paas', dyno: name, text });
  }
}

function dynoOf({ id, labels }: ContainerSummary, since: Date): DetachedDyno {
  return {
    id,
    labels,
    app: labels['paas.app'] ?? '',
    name: labels['paas.detached'] ?? '',
    command: labels['paas.command'] ?? '',
    user: labels['paas.user'] ?? '',
    release: Number(labels['paas.release']),
    since,
  };
}

/** A timer takes 24 days at most. */
function atTime(milliseconds: number, work: () => void): NodeJS.Timeout | undefined {
  const left = milliseconds - Date.now();
  return left < 2 ** 31 ? setTimeout(work, Math.max(0, left)) : undefined;
}
