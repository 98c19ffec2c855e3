import koffi from 'koffi';
import { systemCallNumber } from './numbers.ts';

/** What a system call takes: numbers, C strings, memory of ours, or no address. */
export type Argument = number | bigint | string | Uint8Array | null;

/** A system call failed: the message says which, with what, and why; `code` is the errno's name, e.g. `ENOENT`. */
export class SystemCallError extends Error {
  readonly code: string;
  readonly errno: number;

  constructor(call: string, errno: number) {
    const code = errnoName(errno);
    super(`${call}: ${code}`);
    this.name = 'SystemCallError';
    this.code = code;
    this.errno = errno;
  }
}

/** Does a system call of x86-64 and returns its result; see syscall(2). Throws `SystemCallError`. */
export function systemCall(name: string, ...args: Argument[]): number {
  const [a, b, c, d, e, f] = args;
  const result = rawCall(
    systemCallNumber(name),
    toWord(a),
    toWord(b),
    toWord(c),
    toWord(d),
    toWord(e),
    toWord(f),
  );
  if (result < 0) throw new SystemCallError(describeCall(name, args), koffi.errno());
  return Number(result);
}

/** As `systemCall`, off the event loop. Buffers must stay unchanged until it has ended. */
export function systemCallAsync(name: string, ...args: Argument[]): Promise<number> {
  const words = Array.from({ length: 6 }, (_, index) => toWord(args[index]));
  return new Promise((resolve, reject) => {
    rawCallAsync(systemCallNumber(name), ...words, (error: Error | null, result: bigint | number) => {
      words.length = 0; // Until here the memory among them is referred to, so that it is not collected.
      if (error) reject(error);
      else if (result < 0) reject(new SystemCallError(describeCall(name, args), koffi.errno()));
      else resolve(Number(result));
    });
  });
}

/** `openat(-100, "/x", 0)`: a call in words, for messages. */
export function describeCall(name: string, args: readonly unknown[]): string {
  return `${name}(${args.map(describeArgument).join(', ')})`;
}

/** The name of an errno, e.g. `ENOENT`. */
export function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
}

/** The number of an errno's name. Throws for a name that is none. */
export function errnoNumber(name: string): number {
  const errno = ERRNO_NUMBERS.get(name);
  if (errno === undefined) throw new Error(`There is no errno "${name}".`);
  return errno;
}

type RawCall = (number: number, ...words: (number | bigint | Uint8Array | null)[]) => number | bigint;

/**
 * Every argument as a pointer: koffi takes numbers there too, and memory that is an argument itself cannot be
 * collected before the call, as memory of which only the address is passed could.
 */
const rawFunction = koffi
  .load(null)
  .func('int64_t syscall(int64_t number, void *a, void *b, void *c, void *d, void *e, void *f)');
const rawCall = rawFunction as unknown as RawCall;
const rawCallAsync = rawFunction.async as unknown as (...args: unknown[]) => void;

const ERRNO_NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(koffi.os.errno));

/** Of two names for one number (EAGAIN, EWOULDBLOCK), the one that comes first in the alphabet. */
const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  [...ERRNO_NUMBERS].sort(([one], [other]) => (one < other ? 1 : -1)).map(([name, errno]) => [errno, name]),
);

function toWord(argument: Argument | undefined): number | bigint | Uint8Array | null {
  return typeof argument === 'string' ? cString(argument) : (argument ?? null);
}

/** A string as the kernel takes it. Throws if it holds a NUL, which would cut it. */
export function cString(text: string): Buffer {
  if (text.includes('\0'))
    throw new Error(`A string for the kernel must not hold a NUL: ${JSON.stringify(text)}`);
  return Buffer.from(`${text}\0`);
}

function describeArgument(argument: unknown): string {
  if (typeof argument === 'string') return JSON.stringify(argument);
  if (argument instanceof Uint8Array) return `[${argument.length} bytes]`;
  if (argument && typeof argument === 'object') return Object.values(argument).join(' ');
  return String(argument);
}
