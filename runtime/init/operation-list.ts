import { SYSTEM_CALL_NUMBERS } from '../syscall/numbers.ts';
import { cString, errnoNumber } from '../syscall/system-call.ts';

/** One thing that a new process does to itself before the app runs. */
export interface Operation {
  /** A system call's name, or one of init's own: spawn, execute, netlink, check_folder (see init.c). */
  call: string;
  args: OperationArgument[];
  /** In words, after "could not": `mount /proc`. */
  purpose: string;
  /** Keeps the result under this name, for `{ result }` further on. */
  result?: string;
  /** This errno is no failure, e.g. `EEXIST`. */
  tolerate?: string;
}

export type OperationArgument =
  | number
  | bigint
  /** A C string. */
  | string
  /** A structure or other bytes; the kernel gets their address. */
  | Uint8Array
  /** No address. */
  | null
  /** A descriptor sent along, by name. */
  | { descriptor: string }
  /** The result of an operation before. */
  | { result: string }
  /** A vector of C strings, as execve(2) takes. */
  | { strings: string[] }
  /** A BPF program, as seccomp(2) takes (struct sock_fprog). */
  | { filter: Uint8Array };

/** The runtime sends these three with every list; an operation's own descriptors follow. */
export const FIXED_DESCRIPTORS = ['list', 'status', 'exit'];

/** The bytes that init.c carries out; the encoding is drawn there. `descriptors` names what is sent along, in order. */
export function encodeOperations(operations: readonly Operation[], descriptors: readonly string[]): Buffer {
  const data = new ListData(HEADER_SIZE + operations.length * OPERATION_SIZE);
  const results = new Map<string, number>();
  const head = Buffer.alloc(data.start);
  head.writeBigUInt64LE(BigInt(operations.length), 0);
  for (const [index, operation] of operations.entries()) {
    const at = HEADER_SIZE + index * OPERATION_SIZE;
    head.writeUInt16LE(callNumber(operation.call), at);
    head.writeUInt8(operation.tolerate ? errnoNumber(operation.tolerate) : 0, at + 2);
    for (const [position, argument] of operation.args.entries()) {
      const { kind, value } = encodeArgument(argument, { data, results, descriptors });
      head.writeUInt8(kind, at + 4 + position);
      head.writeBigInt64LE(BigInt.asIntN(64, value), at + 16 + position * 8);
    }
    head.writeUInt8(operation.result ? keepResult(operation.result, results) : NO_RESULT, at + 3);
  }
  return Buffer.concat([head, ...data.chunks]);
}

const LIST_ADDRESS = 0x2_0000_0000n;
const HEADER_SIZE = 64;
const OPERATION_SIZE = 64;
const NO_RESULT = 255;
const OWN_CALLS = new Map([
  ['spawn', 0x8000],
  ['execute', 0x8001],
  ['netlink', 0x8002],
  ['check_folder', 0x8003],
]);
const KIND = { value: 0, descriptor: 1, result: 2 } as const;

interface Encoding {
  data: ListData;
  results: ReadonlyMap<string, number>;
  descriptors: readonly string[];
}

function encodeArgument(argument: OperationArgument, encoding: Encoding): { kind: number; value: bigint } {
  if (argument === null) return { kind: KIND.value, value: 0n };
  if (typeof argument === 'number' || typeof argument === 'bigint') {
    return { kind: KIND.value, value: BigInt(argument) };
  }
  if (typeof argument === 'string' || argument instanceof Uint8Array) {
    return { kind: KIND.value, value: encoding.data.add(argument) };
  }
  if ('descriptor' in argument) {
    const index = encoding.descriptors.indexOf(argument.descriptor);
    if (index < 0) throw new Error(`No descriptor "${argument.descriptor}" is sent along.`);
    return { kind: KIND.descriptor, value: BigInt(index) };
  }
  if ('result' in argument) {
    const index = encoding.results.get(argument.result);
    if (index === undefined) throw new Error(`No operation before gives "${argument.result}".`);
    return { kind: KIND.result, value: BigInt(index) };
  }
  if ('strings' in argument) return { kind: KIND.value, value: encoding.data.addVector(argument.strings) };
  return { kind: KIND.value, value: encoding.data.addFilter(argument.filter) };
}

function callNumber(name: string): number {
  const number = OWN_CALLS.get(name) ?? SYSTEM_CALL_NUMBERS.get(name);
  if (number === undefined) throw new Error(`There is no operation "${name}".`);
  return number;
}

function keepResult(name: string, results: Map<string, number>): number {
  const index = results.get(name) ?? results.size;
  results.set(name, index);
  return index;
}

/** What the operations point to, each thing once, 8-byte aligned, by absolute address. */
class ListData {
  readonly start: number;
  readonly chunks: Buffer[] = [];
  #size = 0;
  readonly #known = new Map<unknown, bigint>();

  constructor(start: number) {
    this.start = start;
  }

  add(thing: string | Uint8Array): bigint {
    return this.#once(thing, () =>
      this.#append(typeof thing === 'string' ? cString(thing) : Buffer.from(thing)),
    );
  }

  addVector(strings: string[]): bigint {
    return this.#once(strings, () => {
      const addresses = strings.map((text) => this.add(text));
      return this.#append(Buffer.from(new BigUint64Array([...addresses, 0n]).buffer));
    });
  }

  addFilter(filter: Uint8Array): bigint {
    return this.#once(filter, () => {
      const program = this.#append(Buffer.from(filter));
      const INSTRUCTION_SIZE = 8n;
      return this.#append(
        Buffer.from(new BigUint64Array([BigInt(filter.length) / INSTRUCTION_SIZE, program]).buffer),
      );
    });
  }

  #once(thing: unknown, append: () => bigint): bigint {
    const address = this.#known.get(thing) ?? append();
    this.#known.set(thing, address);
    return address;
  }

  #append(bytes: Buffer): bigint {
    const address = LIST_ADDRESS + BigInt(this.start + this.#size);
    const padding = Buffer.alloc(-bytes.length & 7);
    this.chunks.push(bytes, padding);
    this.#size += bytes.length + padding.length;
    return address;
  }
}
