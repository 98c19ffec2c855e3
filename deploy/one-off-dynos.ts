import { randomInt } from 'node:crypto';
import { PassThrough } from 'node:stream';
import type { Activity } from './activity.ts';
import type { ContainerRequest, Engine } from './engine.ts';
import { dynoRequest } from './formation/dyno-request.ts';
import type { AppLogs } from './logs/app-log.ts';
import type { DynoLimits } from './model/dyno-limits.ts';
import { PaasError } from './model/paas-error.ts';
import type { Release } from './model/release.ts';
import { detail } from './model/words.ts';
import type { RunOptions, RunSession, Runs, TerminalSize } from './platform.ts';
import type { ReleaseManager } from './release-manager.ts';

/** After the client has gone: SIGHUP, and so many seconds later SIGKILL. */
const HANG_UP_SECONDS = 10;

export interface OneOffDynosOptions {
  engine: Engine;
  releases: ReleaseManager;
  logs: AppLogs;
  activity: Activity;
  limitsOf: (app: string, type: string) => DynoLimits;
}

/** One-off dynos: a fresh container of the current release for one command; never restarted, its files thrown away. */
export class OneOffDynos implements Runs {
  #options: OneOffDynosOptions;

  constructor(options: OneOffDynosOptions) {
    this.#options = options;
  }

  async start(app: string, options: RunOptions): Promise<RunSession> {
    const release = this.#options.releases.current(app);
    if (!release)
      throw new PaasError('conflict', `${app} has no release yet. Push code first: git push paas main`);
    const { engine, logs } = this.#options;
    const dyno = `run.${randomInt(1000, 10_000)}`;
    const id = await engine.create(this.#request(release, dyno, options));
    try {
      const stream = await engine.attach(id, { stdin: true, terminal: options.terminal !== undefined });
      await engine.start(id);
      if (options.terminal) await engine.resize(id, options.terminal);
      logs.append(app, {
        source: 'paas',
        dyno,
        text: `Starting process with command \`${options.command}\` by user ${options.user}`,
      });
      const { user, command } = options;
      this.#options.activity.record({ user, app, action: 'run', text: `Ran \`${command}\` in ${dyno}` });
      const exited = this.#end(id, app, dyno);
      const none = new PassThrough();
      exited.finally(() => none.end());
      return {
        dyno,
        stdin: stream.stdin,
        stdout: stream.output,
        stderr: none,
        resize: (size: TerminalSize) => void engine.resize(id, size).catch(() => {}),
        signal: (name: string) => void engine.kill(id, name).catch(() => {}),
        exited,
        hangUp: () => void this.#hangUp(id),
      };
    } catch (error) {
      await engine.remove(id);
      throw error;
    }
  }

  /** The release command: like a one-off dyno, with its output to the pusher. Throws `invalid` where it fails. */
  async runReleaseCommand(
    release: Release,
    write: (text: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { engine } = this.#options;
    write(detail(`Running release command: ${release.processes.release}`));
    const options = { command: release.processes.release!, user: release.user };
    const id = await engine.create({ ...this.#request(release, 'release.1', options), stdin: false });
    const kill = () => void engine.kill(id, 'SIGKILL').catch(() => {});
    signal.addEventListener('abort', kill, { once: true });
    try {
      const stream = await engine.attach(id, { stdin: false, terminal: false });
      stream.output.on('data', (chunk: Buffer) => write(chunk.toString().replace(/^(?=.)/gm, '       ')));
      await engine.start(id);
      if (signal.aborted) kill();
      const status = await engine.wait(id);
      signal.throwIfAborted();
      if (status !== 0) {
        throw new PaasError(
          'invalid',
          `The release command exited with status ${status}.\n\nPush rejected, release command failed.`,
        );
      }
    } finally {
      signal.removeEventListener('abort', kill);
      await engine.remove(id);
    }
  }

  async #end(id: string, app: string, dyno: string): Promise<number> {
    const status = await this.#options.engine.wait(id).catch(() => 137);
    this.#options.logs.append(app, { source: 'paas', dyno, text: `Process exited with status ${status}` });
    // What it wrote last is still on its way through the attached stream; the container goes when that has ended.
    setTimeout(() => void this.#options.engine.remove(id).catch(() => {}), 500);
    return status;
  }

  async #hangUp(id: string): Promise<void> {
    await this.#options.engine.kill(id, 'SIGHUP').catch(() => {});
    await this.#options.engine.stop(id, HANG_UP_SECONDS).catch(() => {});
  }

  #request(release: Release, name: string, options: RunOptions): ContainerRequest {
    const { terminal } = options;
    const command = release.processes[options.command] ?? options.command;
    const request = dynoRequest({
      release,
      name,
      command,
      limits: this.#options.limitsOf(release.app, 'run'),
    });
    const size = terminal && {
      TERM: terminal.term,
      COLUMNS: String(terminal.columns),
      LINES: String(terminal.rows),
    };
    return {
      ...request,
      env: { ...request.env, ...size, ...options.env },
      stdin: true,
      terminal: terminal !== undefined,
      labels: { ...request.labels, 'paas.kind': 'run' },
    };
  }
}
