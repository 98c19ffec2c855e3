import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { Command } from './services.ts';

/** What a process said when it became ready, e.g. `{ http: '127.0.0.1:8080' }`. */
export type Ready = Record<string, string>;

export interface ServiceOptions {
  name: string;
  /** Asked anew at every start. */
  command: () => Command;
  /** Descriptors that it gets as 3 and following; asked anew at every start. */
  passes?: () => number[];
  /** It gets a channel to main (Node's own, IPC), on which it may send messages and sockets. */
  onMessage?: (message: unknown, socket: unknown) => void;
  /** For a program that does not print `ready {json}`: resolves when it answers. */
  answers?: (signal: AbortSignal) => Promise<void>;
  log: (line: string) => void;
  /** Called at the first and every later readiness. */
  onReady?: (ready: Ready) => void;
}

/**
 * One process of the platform, started again when it dies: at once the first time, then with growing pauses.
 *
 *   main ── spawn ──► process
 *        ◄── stdout ─ `ready {"http":"127.0.0.1:8080"}`   once, when it listens
 *        ◄── stdout ─ `leaving`   it only ends what it has begun: the next one is started beside it
 *        ◄── stdout, stderr ─ anything else: its log
 *        ◄── messages, sockets (`onMessage`)
 *        ── SIGTERM ─► ends by itself; SIGKILL if it takes too long
 */
export class Service {
  readonly name: string;
  readonly #options: ServiceOptions;
  readonly #stopped = new AbortController();
  readonly #lastLines: string[] = [];
  /** The one that runs last, after those that are leaving. */
  readonly #children = new Set<ChildProcess>();
  #loop: Promise<void> = Promise.resolve();

  constructor(options: ServiceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Resolves when it is ready for the first time. Throws `unavailable` with its last words when it ends before, or takes too long. */
  async start(): Promise<Ready> {
    const first = this.#run();
    const outcome = await Promise.race([
      first.ready,
      first.ended.then((how) => new Error(`it ${how}`)),
      sleep(START_TIMEOUT, new Error('it did not become ready'), { ref: false }),
    ]);
    if (outcome instanceof Error) {
      await this.stop();
      const said = this.#lastLines.map((line) => `\n  ${line}`).join('');
      throw new PaasError(
        'unavailable',
        `Could not start the process "${this.name}": ${outcome.message}.${said}`,
      );
    }
    this.#loop = this.#keepRunning(first.ended);
    return outcome;
  }

  /** Ends it and stops restarting it. After `grace` milliseconds by force. */
  async stop(grace = 15_000): Promise<void> {
    this.#stopped.abort();
    await Promise.all([...this.#children].map((child) => end(child, grace)));
    await this.#loop;
  }

  async #keepRunning(firstEnd: Promise<string>): Promise<void> {
    let ended = firstEnd;
    let failures = 0;
    for (let begun = Date.now(); ; begun = Date.now()) {
      const how = await ended;
      if (this.#stopped.signal.aborted) return;
      if (Date.now() - begun > HEALTHY_AFTER || how === LEAVING) failures = 0;
      const pause = PAUSES[Math.min(failures, PAUSES.length - 1)] ?? 0;
      failures += 1;
      this.#options.log(`${how}; starting it again ${pause === 0 ? 'at once' : `in ${pause / 1000} s`}`);
      await sleep(pause, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
      if (this.#stopped.signal.aborted) return;
      ended = this.#run().ended;
    }
  }

  #run(): { ready: Promise<Ready>; ended: Promise<string> } {
    const { command, passes, onMessage } = this.#options;
    const { argv, env } = command();
    const [file, ...args] = argv;
    const stdio: StdioOptions = [
      'ignore',
      'pipe',
      'pipe',
      ...(passes?.() ?? []),
      ...(onMessage ? [IPC] : []),
    ];
    // Detached (a session of its own): Ctrl-C in the terminal reaches main alone, which stops the others in order.
    const child = spawn(file, args, { env, stdio, detached: true, cwd: '/' });
    if (onMessage) child.on('message', onMessage);
    this.#children.add(child);
    const over = new AbortController();
    // 'exit', not 'close': what the runtime leaves behind on purpose may still hold the pipes.
    let leave: (how: string) => void = () => {};
    const ended = new Promise<string>((resolve) => {
      leave = resolve;
      child.once('error', (error) => resolve(`could not be started (${error.message})`));
      child.once('exit', (code, signal) => {
        this.#children.delete(child);
        resolve(signal ? `was ended by ${signal}` : `ended with status ${code}`);
      });
    }).finally(() => over.abort());
    const ready = new Promise<Ready>((resolve) => {
      const announce = (found: Ready) => {
        this.#options.onReady?.(found);
        resolve(found);
      };
      this.#read(child.stdout, { announce, leave: () => leave(LEAVING) });
      this.#read(child.stderr);
      this.#options.answers?.(over.signal).then(
        () => announce({}),
        () => undefined,
      );
    });
    return { ready, ended };
  }

  #read(stream: Readable | null, words?: { announce: (ready: Ready) => void; leave: () => void }): void {
    if (!stream) return;
    createInterface({ input: stream }).on('line', (line) => {
      const json = words && /^ready (\{.*\})$/.exec(line)?.[1];
      if (json) {
        words.announce(JSON.parse(json) as Ready);
        return;
      }
      if (words && line === 'leaving') {
        words.leave();
        return;
      }
      this.#lastLines.push(line);
      this.#lastLines.splice(0, this.#lastLines.length - 8);
      this.#options.log(line);
    });
  }
}

async function end(child: ChildProcess, grace: number): Promise<void> {
  if (!child.pid || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), grace);
  await gone;
  clearTimeout(force);
}

const IPC = 'ipc' as const;
const LEAVING = 'ends what it has begun';
const PAUSES = [0, 1000, 2000, 4000, 8000, 16_000, 30_000];
const HEALTHY_AFTER = 60_000;
// Compiling the init and opening large stores on a slow machine take their time.
const START_TIMEOUT = 180_000;
