import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { encodeOperations, FIXED_DESCRIPTORS, type Operation } from '../init/operation-list.ts';
import { openPipe } from '../syscall/descriptors.ts';
import { memoryFile } from '../syscall/files.ts';
import { receiveMessage, sendMessage, socketPair } from '../syscall/messages.ts';
import { onceReadable } from '../syscall/readiness.ts';
import { describeCall, errnoName } from '../syscall/system-call.ts';
import { SetupError } from './setup-error.ts';

/** What the zygote is asked for; the protocol is drawn in init.c. */
export interface ZygoteRequest {
  /** For clone3(2). */
  cloneFlags: number;
  operations: Operation[];
  /** Descriptors that the operations name; they stay the caller's. */
  descriptors: Record<string, number>;
  /** Into which the new process writes the app's exit status. */
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
    const names = Object.keys(request.descriptors);
    const bytes = encodeOperations(request.operations, [...FIXED_DESCRIPTORS, ...names]);
    const list = memoryFile('operations', bytes, { sealed: false });
    const status = openPipe();
    const ready = outcome(status.read, request.operations);
    ready.catch(() => {});
    const cgroup = request.cgroup ? FIXED_DESCRIPTORS.length + names.indexOf(request.cgroup) : 0;
    try {
      const born = this.#request(
        [request.cloneFlags, bytes.length, cgroup],
        [list, status.write, request.exitFile, ...Object.values(request.descriptors)],
      );
      return { ...(await born), ready };
    } finally {
      closeSync(list);
      closeSync(status.write);
    }
  }

  /** The zygote ends with its last child. */
  close(): void {
    this.#fail(new Error('The runtime is ending.'));
  }

  #request(header: number[], descriptors: number[]): Promise<{ pid: number; pidfd: number }> {
    if (this.#failure) throw this.#failure;
    const bytes = Buffer.from(new BigUint64Array(header.map(BigInt)).buffer);
    sendMessage(this.#socket, { bytes, descriptors });
    const waiter = Promise.withResolvers<{ pid: number; pidfd: number }>();
    this.#waiting.push(waiter);
    this.#listen();
    return waiter.promise;
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

/** Waits for the end of the status pipe: silently when the app was executed, else with what failed. */
function outcome(pipe: number, operations: Operation[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const onEnd = () => {
      const FAILURE_SIZE = 8;
      const failure = Buffer.alloc(FAILURE_SIZE);
      const size = readSync(pipe, failure);
      closeSync(pipe);
      if (size !== FAILURE_SIZE) resolve();
      else reject(setupError(operations[failure.readUInt32LE(0)], failure.readInt32LE(4)));
    };
    onceReadable(pipe, onEnd, { keepAlive: true });
  });
}

function setupError(failed: Operation | undefined, errno: number): SetupError {
  const operation = failed ?? { purpose: 'find something to execute', call: 'execute', args: [] };
  const reason = errnoName(errno);
  const exitCode =
    operation.call === 'execute' ? (reason === 'ENOENT' || reason === 'ENOTDIR' ? 127 : 126) : 125;
  const shown = operation.args.filter(
    (argument) => !(argument && typeof argument === 'object' && 'strings' in argument),
  );
  return new SetupError(
    exitCode,
    `Could not ${operation.purpose}: ${inWords(reason)} (${describeCall(operation.call, shown)}: ${reason}).`,
  );
}

const WORDS: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOTDIR: 'part of the path is not a folder',
  ENOEXEC: 'it is neither a program for this machine nor a script with a #! line',
  ELOOP: 'there is a symbolic link in the way',
  ENOMEM: 'out of memory',
  EAGAIN: 'too many processes',
  ENOSPC: 'no space left',
};

function inWords(errno: string): string {
  return WORDS[errno] ?? errno;
}
