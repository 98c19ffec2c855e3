import { closeSync, readSync } from 'node:fs';
import { encodeOperations, FIXED_DESCRIPTORS, type Operation } from '../init/operation-list.ts';
import { openPipe } from '../syscall/descriptors.ts';
import { memoryFile } from '../syscall/files.ts';
import { sendMessage } from '../syscall/messages.ts';
import { onceReadable } from '../syscall/readiness.ts';
import { describeCall, errnoName, SystemCallError } from '../syscall/system-call.ts';
import { SetupError } from './setup-error.ts';

/** A list of operations for a process of ours: a new one of the zygote's, or one that waits. The protocol is drawn in init.c. */
export interface ListRequest {
  operations: Operation[];
  /** Descriptors that the operations name; they stay the caller's. */
  descriptors: Record<string, number>;
}

/** To a process that waits (PARK in init.c). Resolves when the app has been executed; rejects with `SetupError` if something failed. */
export async function sendParkedList(socket: number, request: ListRequest): Promise<void> {
  const names = Object.keys(request.descriptors);
  const descriptors = Object.values(request.descriptors);
  const bytes = encodeOperations(request.operations, names);
  if (bytes.length <= MAX_INLINE_LIST) {
    sendMessage(socket, { bytes: [header(0, bytes.length, 0), bytes], descriptors });
  } else {
    const long = encodeOperations(request.operations, ['list', ...names]);
    const list = memoryFile('operations', long, { sealed: false });
    try {
      sendMessage(socket, { bytes: [header(0, long.length, 1)], descriptors: [list, ...descriptors] });
    } finally {
      closeSync(list);
    }
  }
  await outcome(socket, request.operations);
}

/** As in init.c. */
const MAX_INLINE_LIST = 128 << 10;

/** `struct request`. */
function header(...words: number[]): Uint8Array {
  return new Uint8Array(new BigUint64Array(words.map(BigInt)).buffer);
}

/**
 * Sends a list to the zygote. Returns a promise that resolves when the app has been executed (or the process waits for another list), and rejects with
 * `SetupError` if something failed. Throws `SystemCallError` if nobody is at the other end.
 */
export function sendList(
  socket: number,
  request: ListRequest & { cloneFlags: number; cgroup?: string; exitFile: number },
): Promise<void> {
  const names = Object.keys(request.descriptors);
  const bytes = encodeOperations(request.operations, [...FIXED_DESCRIPTORS, ...names]);
  const cgroup = request.cgroup ? FIXED_DESCRIPTORS.length + names.indexOf(request.cgroup) : 0;
  const list = memoryFile('operations', bytes, { sealed: false });
  const status = openPipe();
  const ready = outcome(status.read, request.operations).finally(() => closeSync(status.read));
  ready.catch(() => {});
  try {
    sendMessage(socket, {
      bytes: [header(request.cloneFlags, bytes.length, cgroup)],
      descriptors: [list, status.write, request.exitFile, ...Object.values(request.descriptors)],
    });
    return ready;
  } finally {
    closeSync(list);
    closeSync(status.write);
  }
}

/** Waits for the end of the status pipe: silently when the app was executed, else with what failed. */
function outcome(pipe: number, operations: Operation[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const onEnd = () => {
      const FAILURE_SIZE = 8;
      const failure = Buffer.alloc(FAILURE_SIZE);
      const size = readStatus(pipe, failure);
      if (size !== FAILURE_SIZE) resolve();
      else reject(setupError(operations[failure.readUInt32LE(0)], failure.readInt32LE(4)));
    };
    onceReadable(pipe, onEnd, { keepAlive: true });
  });
}

/** Of a socket, whose other end may have been killed before it read all. */
function readStatus(pipe: number, into: Buffer): number {
  try {
    return readSync(pipe, into);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') return 0;
    throw error;
  }
}

function setupError(failed: Operation | undefined, errno: number): SetupError {
  const operation = failed ?? { purpose: 'find something to execute', call: 'execute', args: [] };
  const reason = errnoName(errno);
  const exitCode =
    operation.call === 'execute' ? (reason === 'ENOENT' || reason === 'ENOTDIR' ? 127 : 126) : 125;
  const shown = operation.args.filter(
    (argument) => !(argument && typeof argument === 'object' && 'strings' in argument),
  );
  // Layers are on the data's disk, too, and nothing else that a container needs reports errors of its own.
  const ofDisk = operation.onDataDisk || reason === 'EIO';
  return new SetupError(
    exitCode,
    `Could not ${operation.purpose}: ${inWords(reason)} (${describeCall(operation.call, shown)}: ${reason}).`,
    ofDisk ? { cause: new SystemCallError(operation.call, errno) } : {},
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
  EROFS: 'it can only be read',
  EIO: 'the disk reports an error',
};

function inWords(errno: string): string {
  return WORDS[errno] ?? errno;
}
