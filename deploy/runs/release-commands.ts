import { StringDecoder } from 'node:string_decoder';
import type { ContainerRequest, Engine } from '../engine.ts';
import { outOfMemory } from '../formation/boot-failure.ts';
import type { LeavingApps } from '../leaving-apps.ts';
import type { AppLogs } from '../logs/app-log.ts';
import { DEFAULT_MEMORY, type DynoLimits } from '../model/dyno-limits.ts';
import { LineSplitter } from '../model/line-splitter.ts';
import { PaasError } from '../model/paas-error.ts';
import type { Release } from '../model/release.ts';
import { detail } from '../model/words.ts';
import type { RunView } from '../platform/runs.ts';
import { runRequest } from './run-request.ts';

const MAX_OUTPUT = 256 * 1024;
/** Characters of a line; a longer one goes into the log in pieces. */
const LONGEST_LINE = 10_000;
/** Between SIGTERM and SIGKILL, where somebody stops one. */
const STOP_SECONDS = 10;

/** Where a release's commands belong in its life. */
export type ReleaseCommandName = 'predeploy' | 'release' | 'postdeploy';

export interface ReleaseCommandsOptions {
  engine: Engine;
  logs: AppLogs;
  leaving: LeavingApps;
  limitsOf: (app: string, type: string) => DynoLimits;
  /** Gets the beginning of a command's output at its end, also where it fails. */
  keep: (release: Release, output: string) => void;
  /** Milliseconds for each. */
  timeLimit: number;
}

/** Who waits for a release: what its commands say goes there. */
export interface Audience {
  write: (text: string) => void;
  signal: AbortSignal;
}

/** One that runs. */
interface RunningCommand extends RunView {
  /** The container's. */
  id: string;
  /** Resolves when it has ended. */
  hangUp: () => Promise<void>;
}

/** The commands around a release, each in a dyno of its own. Their output also goes into the app's log and the release's record. */
export class ReleaseCommands {
  #options: ReleaseCommandsOptions;
  /** By container. */
  #running = new Map<string, RunningCommand>();

  constructor(options: ReleaseCommandsOptions) {
    this.#options = options;
  }

  /** Those of an app that run. */
  list(app: string): RunningCommand[] {
    return [...this.#running.values()].filter((command) => command.app === app);
  }

  /** Throws `invalid` where it fails, is stopped or takes too long. */
  async run(
    release: Release,
    { name, command }: { name: ReleaseCommandName; command: string },
    audience: Audience,
  ): Promise<void> {
    const request = this.#request(release, name, command);
    await this.#inContainer(request, (id) => this.#toEnd(id, { release, name, command }, audience));
  }

  /** As `run`; what it wrote becomes part of the image whose id is returned, under this name. */
  async runAndKeep(
    release: Release,
    {
      name,
      command,
      image,
    }: { name: ReleaseCommandName; command: string; image: { repo: string; tag: string } },
    audience: Audience,
  ): Promise<string> {
    const { engine } = this.#options;
    const request = { ...this.#request(release, name, command), volatile: false };
    return this.#inContainer(request, async (id) => {
      await this.#toEnd(id, { release, name, command }, audience);
      // The image's own environment, without what only this command had.
      const present = (await engine.findImage(release.image))?.env ?? [];
      const env = Object.fromEntries(present.map((line) => splitOnce(line)));
      return engine.commit(id, { ...image, env, drop: Object.keys(request.env) });
    });
  }

  #request(release: Release, name: string, command: string): ContainerRequest {
    const limits = this.#options.limitsOf(release.app, 'run');
    return runRequest(release, { name: `${name}.1`, limits, stdin: false }, { command });
  }

  async #inContainer<T>(request: ContainerRequest, work: (id: string) => Promise<T>): Promise<T> {
    const { engine } = this.#options;
    const id = await engine.create(request);
    try {
      return await work(id);
    } finally {
      await engine.remove(id);
    }
  }

  async #toEnd(
    id: string,
    { release, name, command }: { release: Release; name: ReleaseCommandName; command: string },
    { write, signal }: Audience,
  ): Promise<void> {
    const { engine, timeLimit, keep, leaving } = this.#options;
    leaving.check(release.app);
    write(detail(`Running ${name} command: ${command}`));
    let isStopped = false;
    const hangUp = async () => {
      isStopped = true;
      await engine.stop(id, STOP_SECONDS);
    };
    const { app, user, version } = release;
    const dyno = { id, app, name: `${name}.1`, command, user, release: version, since: new Date() };
    this.#running.set(id, { ...dyno, hangUp });
    const over = AbortSignal.any([signal, AbortSignal.timeout(timeLimit)]);
    const kill = () => void engine.kill(id, 'SIGKILL').catch(() => {});
    over.addEventListener('abort', kill, { once: true });
    let output = '';
    const lines = new LineSplitter(LONGEST_LINE);
    const log = (texts: string[]) => {
      for (const text of texts)
        if (text !== '') this.#options.logs.append(app, { source: 'app', dyno: dyno.name, text });
    };
    const decoder = new StringDecoder('utf8');
    try {
      const stream = await engine.attach(id, { stdin: false, terminal: false });
      stream.output.on('data', (chunk: Buffer) => {
        const text = decoder.write(chunk);
        write(text.replace(/^(?=.)/gm, '       '));
        log(lines.push(text));
        if (output.length < MAX_OUTPUT) output += text;
      });
      await engine.start(id);
      if (over.aborted || isStopped) kill();
      const status = await engine.wait(id);
      signal.throwIfAborted();
      if (over.aborted)
        throw new PaasError('invalid', `The ${name} command took longer than ${timeLimit / 60_000} minutes.`);
      if (isStopped) throw new PaasError('invalid', `The ${name} command was stopped.`);
      if (status !== 0 && (await engine.ranOutOfMemory(id))) {
        const { memory } = this.#options.limitsOf(release.app, 'run');
        const what = outOfMemory({ app: release.app, type: 'run', memory: memory ?? DEFAULT_MEMORY });
        throw new PaasError('invalid', `The ${name} command ${what}`);
      }
      if (status !== 0) throw new PaasError('invalid', `The ${name} command exited with status ${status}.`);
    } finally {
      over.removeEventListener('abort', kill);
      this.#running.delete(id);
      keep(release, output.slice(0, MAX_OUTPUT));
      log(lines.flush());
    }
  }
}

/** `NAME=value` as a pair; the value may hold more of them. */
function splitOnce(line: string): [string, string] {
  const at = line.indexOf('=');
  return [line.slice(0, at), line.slice(at + 1)];
}
