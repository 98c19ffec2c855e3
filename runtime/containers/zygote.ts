import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { comeAsOthers } from '../priority.ts';
import { memoryFile } from '../syscall/files.ts';
import { receiveMessage, socketPair } from '../syscall/messages.ts';
import { onceReadable } from '../syscall/readiness.ts';
import { errnoName } from '../syscall/system-call.ts';
import { type ListRequest, sendList } from './list-request.ts';
import { SetupError } from './setup-error.ts';

/** What the zygote is asked for. */
export interface ZygoteRequest extends ListRequest {
  /** For clone3(2). */
  cloneFlags: number;
  /** Into which the process writes the app's exit status. */
  exitFile: number;
  /** Which of the descriptors is the cgroup v2 folder to be born in. */
  cgroup?: string;
}

/** A process of the zygote's. */
export interface Born {
  pid: number;
  /** The caller closes it. */
  pidfd: number;
  /** Resolves when the app has been executed, rejects with `SetupError` if that failed. */
  ready: Promise<void>;
}

/** The program init.c, waiting for requests: the parent of all containers' processes. It outlives us while one runs. */
export class Zygote {
  readonly #child: ChildProcess;
  readonly #socket: number;
  readonly #waiting: PromiseWithResolvers<{ pid: number; pidfd: number }>[] = [];
  #stopListening: (() => void) | undefined;
  #failure: Error | undefined;

  /**
   * `program`: path of the compiled init.c; it is run from a copy in memory that nobody can write (CVE-2019-5736).
   * `output`: descriptor of the folder of raw output.
   */
  constructor({ program, output }: { program: string; output: number | undefined }) {
    const [ours, theirs] = socketPair();
    const image = memoryFile('init', readFileSync(program), { sealed: true });
    const reservedForStatus = openSync('/dev/null', 'r+');
    this.#child = spawn(`/proc/self/fd/${image}`, {
      argv0: 'paas-init',
      stdio: ['ignore', 'ignore', 'ignore', theirs, reservedForStatus, output ?? reservedForStatus],
      env: {},
      cwd: '/',
      detached: true,
    });
    comeAsOthers(this.#child.pid);
    this.#child.unref();
    this.#child.once('error', (error) => this.#fail(error));
    this.#child.once('exit', () => this.#fail(new Error('The zygote has ended.')));
    this.#socket = ours;
    for (const descriptor of [theirs, image, reservedForStatus]) closeSync(descriptor);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get alive(): boolean {
    return this.#failure === undefined;
  }

  /** Makes a process that carries out the operations. Throws `SetupError` if there is none. */
  async launch(request: ZygoteRequest): Promise<Born> {
    if (this.#failure) throw this.#failure;
    const ready = sendList(this.#socket, request);
    const waiter = Promise.withResolvers<{ pid: number; pidfd: number }>();
    this.#waiting.push(waiter);
    this.#listen();
    return { ...(await waiter.promise), ready };
  }

  /** The zygote ends with its last child. */
  close(): void {
    this.#fail(new Error('The runtime is ending.'));
  }

  #listen(): void {
    if (this.#stopListening || this.#waiting.length === 0) return;
    const onReply = () => {
      this.#stopListening = undefined;
      this.#readReplies();
      this.#listen();
    };
    this.#stopListening = onceReadable(this.#socket, onReply, { keepAlive: true });
  }

  #readReplies(): void {
    const REPLY_SIZE = 8;
    try {
      for (;;) {
        const reply = receiveMessage(this.#socket, REPLY_SIZE);
        if (!reply) return;
        const pid = Number(reply.bytes.readBigInt64LE());
        const waiter = this.#waiting.shift();
        if (pid > 0 && reply.descriptor !== undefined) waiter?.resolve({ pid, pidfd: reply.descriptor });
        else waiter?.reject(new SetupError(125, `Could not make a process: clone3: ${errnoName(-pid)}.`));
      }
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#stopListening?.();
    closeSync(this.#socket);
    for (const waiter of this.#waiting.splice(0)) {
      waiter.reject(new SetupError(125, `Could not make a process: ${error.message}`, { cause: error }));
    }
  }
}
