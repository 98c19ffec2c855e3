import type { Readable } from 'node:stream';
import type { Platform } from '../../deploy/platform.ts';
import type { Output } from './output.ts';

/** Everything about one command, in one place: SSH, the local client, `help` and docs/commands.md derive from it. */
export interface Command {
  /** e.g. `ps:scale`; what stands before the colon is its topic. */
  name: string;
  aliases?: string[];
  /** One line, starting with a verb. */
  summary: string;
  /** More for its own help page. */
  details?: string[];
  /**
   * required: works on one app, named by `-a APP` or by the first argument.
   * optional: may be narrowed to one app. new: the app need not exist yet.
   */
  app?: 'required' | 'optional' | 'new';
  /** An app that is gone can be named, too. */
  takesGone?: true;
  args?: Argument[];
  flags?: Flag[];
  examples: string[];
  access: Access;
  /** Has `--json`: one document, or one per line for a stream. */
  json?: true;
  /** Reads standard input: always, or only with these arguments and flags. */
  stdin?: (args: string[], flags: ReadonlyMap<string, string>) => boolean;
  /** How many of the last arguments name files of the user's; the local client sends them, joined, in place of `-`. */
  files?: number;
  /** Gets a terminal where the client has one. */
  terminal?: true;
  /** What to tell who presses Ctrl-C: what goes on without them, and how to come back or end it. */
  interrupted?: string;
  /** Must be confirmed by typing the app's name, or with `--confirm APP`. */
  confirms?: true;
  /** Resolves with the exit status; nothing means 0. Throws PaasError. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most commands end without a status of their own
  run(context: CommandContext): Promise<number | void>;
}

/** look: reads. change: changes an app. operate: changes who may come in, or the machine. */
export type Access = 'look' | 'change' | 'operate';

export interface Argument {
  /** In capitals, e.g. `TYPE=QUANTITY` */
  name: string;
  summary: string;
  required?: true;
  /** Only the last one. */
  repeated?: true;
  /** Flags after it belong to it: the command of `run`. */
  verbatim?: true;
}

export interface Flag {
  /** Long name without the hyphens. */
  name: string;
  short?: string;
  aliases?: string[];
  /** Present: the flag takes a value, shown under this name. */
  value?: string;
  summary: string;
}

/** A command line, understood. */
export interface Invocation {
  command: Command;
  app: string | undefined;
  args: string[];
  flags: Map<string, string>;
  json: boolean;
  help: boolean;
}

/** Who runs a command, and through what. */
export interface Caller {
  user: string;
  /** Of the key that signed in. */
  fingerprint: string;
}

export interface TerminalSize {
  rows: number;
  columns: number;
}

/** The client's terminal (ssh -t). */
export interface ClientTerminal {
  term: string;
  size: TerminalSize;
  onResize(listener: (size: TerminalSize) => void): void;
}

/** The client's end of a command. */
export interface ClientStreams {
  stdin: Readable;
  out: Output;
  terminal: ClientTerminal | undefined;
  /** Aborted when the client has gone (or presses Ctrl-C on its terminal). */
  signal: AbortSignal;
  /** Signals that the client sends, by name: `SIGINT`. */
  onSignal(listener: (name: string) => void): void;
}

/** One line of `doctor`. */
export interface DoctorFinding {
  name: string;
  state: 'ok' | 'warning' | 'problem';
  message: string;
  /** What to do about it. */
  advice?: string;
}

/** What commands need beside the platform; control passes it in. */
export interface CommandServices {
  platform: Platform;
  doctor: () => Promise<DoctorFinding[]>;
  /** e.g. `http://paas.example.com:8080`, without a slash at the end. */
  dashboardUrl: () => string;
  /** How clients reach us, e.g. `{ host: 'example.com', port: 2222 }`. */
  sshAddress: () => { host: string; port: number };
  /** Whether this caller may run commands of this kind. */
  may: (caller: Caller, access: Access) => boolean;
  /** For what no user should see. */
  log: (message: string, cause?: unknown) => void;
}

export interface CommandContext extends CommandServices, ClientStreams {
  caller: Caller;
  /** Present for commands with `app: 'required'` (and it exists) or `new`; '' where an optional one is missing. */
  app: string;
  args: string[];
  json: boolean;
  /** The value of a flag; '' for one without value; undefined where it was not given. */
  flag(name: string): string | undefined;
}
