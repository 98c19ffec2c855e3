import { randomInt } from 'node:crypto';
import { PassThrough } from 'node:stream';
import type { Activity } from '../activity.ts';
import type { ContainerSummary, Engine } from '../engine.ts';
import { OUT_OF_MEMORY, outOfMemory } from '../formation/boot-failure.ts';
import type { AppLogs } from '../logs/app-log.ts';
import { quote } from '../model/app-name.ts';
import type { DynoLimits } from '../model/dyno-limits.ts';
import { PaasError } from '../model/paas-error.ts';
import type { RunOptions, RunSession, Runs, RunView, TerminalSize } from '../platform/runs.ts';
import type { ReleaseManager } from '../release-manager.ts';
import type { DetachedDyno, DetachedDynos } from './detached-dynos.ts';
import type { ReleaseCommands } from './release-commands.ts';
import { commandOf, runRequest } from './run-request.ts';

/** After the client has gone: SIGHUP, and so many seconds later SIGKILL. */
const HANG_UP_SECONDS = 10;

export interface OneOffDynosOptions {
  engine: Engine;
  releases: ReleaseManager;
  detached: DetachedDynos;
  commands: ReleaseCommands;
  logs: AppLogs;
  activity: Activity;
  limitsOf: (app: string, type: string) => DynoLimits;
}

interface Attached extends RunView {
  id: string;
  hangUp: () => Promise<void>;
}

/** One-off dynos: a fresh container of the current release for one command; never restarted, its files thrown away. */
export class OneOffDynos implements Runs {
  #options: OneOffDynosOptions;
  #attached = new Map<string, Attached>();

  constructor(options: OneOffDynosOptions) {
    this.#options = options;
  }

  async start(app: string, options: RunOptions): Promise<RunSession> {
    const release = this.#options.releases.require(app);
    const { engine } = this.#options;
    const dyno = `run.${randomInt(1000, 10_000)}`;
    const limits = this.#options.limitsOf(app, 'run');
    const request = runRequest(release, { name: dyno, limits, stdin: true }, options);
    const id = await engine.create(request);
    try {
      const stream = await engine.attach(id, { stdin: true, terminal: options.terminal !== undefined });
      await engine.start(id);
      // Destroyed meanwhile: whoever did it has stopped those that there were.
      this.#options.releases.require(app);
      if (options.terminal) await engine.resize(id, options.terminal);
      const hangUp = () => this.#hangUp(id);
      this.#began({ id, app, name: dyno, release: release.version, since: new Date(), ...options, hangUp });
      // What the command says comes by stdout, whichever it wrote to.
      const stderr = new PassThrough();
      const lineEnd = options.terminal ? '\r\n' : '\n';
      const tell = (text: string) => void stderr.write(` !     ${text}${lineEnd}`);
      const exited = this.#end({ id, app, dyno, memory: request.memory ?? 0 }, tell);
      exited.finally(() => stderr.end());
      return {
        dyno,
        stdin: stream.stdin,
        stdout: stream.output,
        stderr,
        resize: (size: TerminalSize) => void engine.resize(id, size).catch(() => {}),
        signal: (name: string) => void engine.kill(id, name).catch(() => {}),
        exited,
        hangUp: () => void hangUp(),
      };
    } catch (error) {
      await engine.remove(id);
      throw error;
    }
  }

  async detach(
    app: string,
    { command, user, timeLimit }: { command: string; user: string; timeLimit?: number },
  ): Promise<RunView> {
    const release = this.#options.releases.require(app);
    const dyno = await this.#options.detached.start({
      release,
      prefix: 'run',
      command: commandOf(release, command),
      user,
      limits: this.#options.limitsOf(app, 'run'),
      ...(timeLimit !== undefined && { timeLimit }),
    });
    this.#record(dyno);
    return dyno;
  }

  list(app: string): RunView[] {
    this.#options.releases.current(app);
    return this.#all(app).sort((a, b) => a.since.getTime() - b.since.getTime());
  }

  async stop(app: string, name: string, user: string): Promise<void> {
    const dyno = this.#all(app).find((candidate) => candidate.name === name);
    if (!dyno) {
      throw new PaasError(
        'not_found',
        `${app} has no one-off dyno ${quote(name)}. \`paas run:list -a ${app}\` lists those that run.`,
      );
    }
    this.#options.activity.note({ app, user, action: 'run:stop', text: `Stopped ${name}` });
    await this.#stop(dyno);
  }

  /** Ends all of an app's. */
  async stopAll(app: string): Promise<void> {
    await Promise.all(this.#all(app).map((dyno) => this.#stop(dyno)));
  }

  /** Takes up a detached one that an earlier control began; false where the container is none. */
  adopt(container: ContainerSummary): Promise<boolean> {
    return this.#options.detached.adopt(container);
  }

  #all(app: string): (Attached | DetachedDyno)[] {
    const attached = [...this.#attached.values()].filter((dyno) => dyno.app === app);
    return [...attached, ...this.#options.detached.list(app), ...this.#options.commands.list(app)];
  }

  async #stop(dyno: Attached | DetachedDyno): Promise<void> {
    if ('hangUp' in dyno) await dyno.hangUp();
    else await this.#options.detached.stop(dyno);
  }

  #began(dyno: Attached): void {
    this.#attached.set(dyno.id, dyno);
    const text = `Starting process with command \`${dyno.command}\` by user ${dyno.user}`;
    this.#options.logs.append(dyno.app, { source: 'paas', dyno: dyno.name, text });
    this.#record(dyno);
  }

  #record({ app, user, command, name }: RunView): void {
    this.#options.activity.record({ app, user, action: 'run', text: `Ran \`${command}\` in ${name}` });
  }

  /** `tell`: to whoever is attached. */
  async #end(
    { id, app, dyno, memory }: { id: string; app: string; dyno: string; memory: number },
    tell: (text: string) => void,
  ): Promise<number> {
    const { engine, logs } = this.#options;
    const status = await engine.wait(id).catch(() => 137);
    const isOutOfMemory = await engine.ranOutOfMemory(id);
    this.#attached.delete(id);
    const say = (text: string) => logs.append(app, { source: 'paas', dyno, text });
    if (isOutOfMemory) {
      say(OUT_OF_MEMORY);
      tell(`The command ${outOfMemory({ app, type: 'run', memory })}`);
    }
    say(`Process exited with status ${status}`);
    // What it wrote last is still on its way through the attached stream; the container goes when that has ended.
    setTimeout(() => void this.#options.engine.remove(id).catch(() => {}), 500);
    return status;
  }

  async #hangUp(id: string): Promise<void> {
    await this.#options.engine.kill(id, 'SIGHUP').catch(() => {});
    await this.#options.engine.stop(id, HANG_UP_SECONDS).catch(() => {});
  }
}
