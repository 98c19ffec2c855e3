import type { Readable, Writable } from 'node:stream';
import type { CronEntry } from '../model/cron-entry.ts';

export interface TerminalSize {
  rows: number;
  columns: number;
}

export interface RunOptions {
  /** argv as the user gave it, joined by spaces and given to a shell inside the dyno; a Procfile type's name runs its command. */
  command: string;
  user: string;
  /** Present: with a terminal. */
  terminal?: TerminalSize & { term: string };
  env?: Record<string, string>;
}

/** A one-off dyno that a client is attached to. */
export interface RunSession {
  dyno: string;
  stdin: Writable;
  /** With a terminal everything comes here. */
  stdout: Readable;
  stderr: Readable;
  resize(size: TerminalSize): void;
  /** Sends a signal by name (`SIGINT`) to the dyno's processes. */
  signal(name: string): void;
  /** The exit status; 128+n for a signal. The dyno and its file system are gone when this resolves. */
  exited: Promise<number>;
  /** The client went away: SIGHUP, then SIGKILL. */
  hangUp(): void;
}

/** A one-off dyno that runs. */
export interface RunView {
  app: string;
  /** `run.4711` */
  name: string;
  command: string;
  user: string;
  release: number;
  since: Date;
}

export interface Runs {
  start(app: string, options: RunOptions): Promise<RunSession>;
  /** In the background: output to the app's log. `timeLimit`: seconds after which it is stopped. */
  detach(app: string, options: { command: string; user: string; timeLimit?: number }): Promise<RunView>;
  /** Oldest first. */
  list(app: string): RunView[];
  /** SIGTERM, then SIGKILL. Resolves when it has ended. Throws `not_found`. */
  stop(app: string, dyno: string, user: string): Promise<void>;
}

export interface CronJobView extends CronEntry {
  /** e.g. `1a2b3c4d`; the same command at the same times has the same in every release. */
  id: string;
  source: 'app.json' | 'command';
  suspended: boolean;
  next: Date | undefined;
  /** `status` is undefined while it runs. */
  last: { at: Date; dyno: string; status: number | undefined } | undefined;
}

export interface Cron {
  list(app: string): CronJobView[];
  /** Throws `invalid` for what is no schedule, `conflict` for a job that is there. */
  add(app: string, entry: CronEntry, user: string): CronJobView;
  /** Throws `conflict` for a job of app.json. */
  remove(app: string, id: string, user: string): void;
  /** Now, beside its schedule. */
  run(app: string, id: string, user: string): Promise<RunView>;
  setSuspended(app: string, id: string, suspended: boolean, user: string): void;
}
