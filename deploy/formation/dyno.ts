import type { Release } from '../model/release.ts';
import type { DynoState, DynoView } from '../platform.ts';

/** Every web dyno listens here, each on its own address. */
export const WEB_PORT = 5000;

/** Which state may follow which. A dyno that crashed comes back as a new container of the same dyno. */
const TRANSITIONS: Record<DynoState, DynoState[]> = {
  idle: ['starting', 'stopping'],
  starting: ['up', 'crashed', 'stopping'],
  up: ['crashed', 'stopping'],
  crashed: ['starting', 'stopping'],
  stopping: [],
};

export interface DynoExit {
  code: number;
  oomKilled: boolean;
}

/** One numbered place of a formation (`web.1`) under one release, and the container that fills it now. */
export class Dyno {
  readonly release: Release;
  readonly type: string;
  readonly number: number;
  state: DynoState = 'starting';
  since = new Date();
  reason: string | undefined;
  crashes = 0;
  container: DynoContainer | undefined;
  restart: NodeJS.Timeout | undefined;
  /** When it starts again after a crash. */
  restartsAt: Date | undefined;
  /** Crashed, but about to start again without a pause: requests may wait for it. */
  restartsAtOnce = false;
  /** Readiness checks that fail, by name, and why. */
  readonly unready = new Map<string, string>();
  /** Of a release that only some visitors get. */
  readonly canary: boolean;

  constructor(release: Release, type: string, number: number, options: { canary?: boolean } = {}) {
    this.release = release;
    this.canary = options.canary ?? false;
    this.type = type;
    this.number = number;
  }

  get app(): string {
    return this.release.app;
  }

  get name(): string {
    return `${this.canary ? 'canary' : this.type}.${this.number}`;
  }

  get command(): string {
    return this.release.processes[this.type] ?? '';
  }

  /** False: out of the router's list, also where it is up. */
  get ready(): boolean {
    return this.unready.size === 0;
  }

  get isWeb(): boolean {
    return this.type === 'web';
  }

  get #unreadyReason(): string | undefined {
    const [failing] = this.unready;
    return failing && this.state === 'up' ? `gets no requests: ${failing[0]}: ${failing[1]}` : undefined;
  }

  /** The same place, to be filled anew. */
  again(): Dyno {
    return new Dyno(this.release, this.type, this.number, { canary: this.canary });
  }

  /** The same place without a container, until somebody asks for it. */
  asIdle(): Dyno {
    const dyno = this.again();
    dyno.state = 'idle';
    return dyno;
  }

  /** Throws where the change is no transition: that is a bug, not a user's mistake. */
  become(state: DynoState, reason?: string): void {
    if (!TRANSITIONS[this.state].includes(state))
      throw new Error(`${this.name}: ${this.state} cannot become ${state}`);
    this.state = state;
    this.since = new Date();
    this.reason = reason;
  }

  view(): DynoView {
    return {
      name: this.name,
      type: this.type,
      number: this.number,
      command: this.command,
      state: this.state,
      since: this.since,
      release: this.release.version,
      reason: this.reason ?? this.#unreadyReason,
      ...(this.state === 'crashed' &&
        this.restartsAt && { backoff: { crashes: this.crashes, next: this.restartsAt } }),
    };
  }
}

/** A dyno's container, and its end as a promise. */
export class DynoContainer {
  readonly id: string;
  address: string | undefined;
  readonly ended: Promise<DynoExit>;
  #end: (exit: DynoExit) => void = () => {};
  /** Resolves when all that it wrote is in the app's log. */
  logged: Promise<void> = Promise.resolve();
  exit: DynoExit | undefined;
  /** Aborted, the checks that are repeated while it runs end. */
  checking: AbortController | undefined;
  /** Why we ended it, in words. */
  killedFor: string | undefined;
  /** Bytes that it may have; 0: what an earlier control gave it. */
  readonly memory: number;
  /** The last lines that it wrote while it was listened to. */
  readonly said: string[] = [];

  constructor(id: string, memory = 0) {
    this.id = id;
    this.memory = memory;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  hear(line: string): void {
    this.said.push(line.slice(0, LONGEST_LINE));
    if (this.said.length > LAST_LINES) this.said.shift();
  }

  end(exit: DynoExit): void {
    if (this.exit) return;
    this.exit = exit;
    this.#end(exit);
  }
}

const LAST_LINES = 20;
const LONGEST_LINE = 500;

/** Milliseconds before the next start of a dyno that crashed so many times: 0 for the first 5, then growing to 5 minutes. */
export function restartDelay(crashes: number): number {
  return crashes <= 5 ? 0 : Math.min(10_000 * 2 ** (crashes - 6), 300_000);
}
