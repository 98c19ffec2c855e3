import { SYSTEM_CALL_NUMBERS } from '../syscall/numbers.ts';
import { errnoNumber } from '../syscall/system-call.ts';

/** One thing that a new process does to itself before the app runs. */
export interface Operation {
  /** A system call's name, or one of init's own: spawn, execute, netlink, check_folder, drop_bounding (see init.c). */
  call: string;
  args: OperationArgument[];
  /** In words, after "could not": `mount /proc`. */
  purpose: string;
  /** Keeps the result under this name, for `{ result }` further on. */
  result?: string;
  /** This errno is no failure, e.g. `EEXIST`; or none is, by `any`. */
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
  const list = new List(HEADER_SIZE + operations.length * OPERATION_SIZE);
  const results = new Map<string, number>();
  list.writeWord(0, operations.length);
  for (const [index, operation] of operations.entries()) {
    const at = HEADER_SIZE + index * OPERATION_SIZE;
    operation.args.forEach((argument, position) => {
      const { kind, value } = encodeArgument(argument, { list, results, descriptors });
      list.writeByte(at + 4 + position, kind);
      list.writeWord(at + 16 + position * WORD, value);
    });
    list.writeByte(at, callNumber(operation.call) & 0xff);
    list.writeByte(at + 1, callNumber(operation.call) >> 8);
    list.writeByte(at + 2, toleratedErrno(operation.tolerate));
    list.writeByte(at + 3, operation.result ? keepResult(operation.result, results) : NO_RESULT);
  }
  return list.bytes();
}

const LIST_ADDRESS = 0x2_0000_0000;
const WORD = 8;
const HEADER_SIZE = 64;
const OPERATION_SIZE = 64;
const NO_RESULT = 255;
const ANY_ERROR = 255;
const OWN_CALLS = new Map([
  ['spawn', 0x8000],
  ['execute', 0x8001],
  ['netlink', 0x8002],
  ['check_folder', 0x8003],
  ['drop_bounding', 0x8004],
]);
const KIND = { value: 0, descriptor: 1, result: 2 } as const;

interface Encoding {
  list: List;
  results: ReadonlyMap<string, number>;
  descriptors: readonly string[];
}

type Word = number | bigint;

function encodeArgument(argument: OperationArgument, encoding: Encoding): { kind: number; value: Word } {
  const { list } = encoding;
  if (argument === null) return { kind: KIND.value, value: 0 };
  if (typeof argument === 'number' || typeof argument === 'bigint')
    return { kind: KIND.value, value: argument };
  if (typeof argument === 'string') return { kind: KIND.value, value: list.addString(argument) };
  if (argument instanceof Uint8Array) return { kind: KIND.value, value: list.addBytes(argument) };
  if ('strings' in argument) return { kind: KIND.value, value: list.addVector(argument.strings) };
  if ('filter' in argument) return { kind: KIND.value, value: list.addFilter(argument.filter) };
  if ('descriptor' in argument) {
    const index = encoding.descriptors.indexOf(argument.descriptor);
    if (index < 0) throw new Error(`No descriptor "${argument.descriptor}" is sent along.`);
    return { kind: KIND.descriptor, value: index };
  }
  const index = encoding.results.get(argument.result);
  if (index === undefined) throw new Error(`No operation before gives "${argument.result}".`);
  return { kind: KIND.result, value: index };
}

function callNumber(name: string): number {
  const number = OWN_CALLS.get(name) ?? SYSTEM_CALL_NUMBERS.get(name);
  if (number === undefined) throw new Error(`There is no operation "${name}".`);
  return number;
}

function toleratedErrno(name: string | undefined): number {
  if (name === undefined) return 0;
  return name === 'any' ? ANY_ERROR : errnoNumber(name);
}

function keepResult(name: string, results: Map<string, number>): number {
  const index = results.get(name) ?? results.size;
  results.set(name, index);
  return index;
}

/** The list's bytes: a head for the operations, and behind it what they point to, each thing once. */
class List {
  #buffer: Buffer;
  #size: number;
  readonly #known = new Map<unknown, number>();

  constructor(headSize: number) {
    const EXPECTED_DATA = 16_384;
    this.#buffer = Buffer.alloc(headSize + EXPECTED_DATA);
    this.#size = headSize;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }

  writeByte(at: number, value: number): void {
    this.#buffer[at] = value;
  }

  /** 64 bits, two's complement. */
  writeWord(at: number, value: Word): void {
    if (typeof value === 'bigint') {
      this.#buffer.writeBigInt64LE(BigInt.asIntN(64, value), at);
      return;
    }
    const HALF = 2 ** 32;
    this.#buffer.writeInt32LE(value | 0, at);
    this.#buffer.writeInt32LE(Math.floor(value / HALF) | 0, at + 4);
  }

  addString(text: string): number {
    return this.#once(text, () => {
      if (text.includes('\0'))
        throw new Error(`A string for the kernel must not hold a NUL: ${JSON.stringify(text)}`);
      const at = this.#reserve(Buffer.byteLength(text) + 1);
      this.#buffer.write(text, at);
      return at;
    });
  }

  addBytes(bytes: Uint8Array): number {
    return this.#once(bytes, () => {
      const at = this.#reserve(bytes.length);
      this.#buffer.set(bytes, at);
      return at;
    });
  }

  addVector(strings: string[]): number {
    return this.#once(strings, () => this.#placeWords([...strings.map((text) => this.addString(text)), 0]));
  }

  /** `struct sock_fprog`: the number of instructions, 8 bytes each, and where they are. */
  addFilter(filter: Uint8Array): number {
    return LIST_ADDRESS + this.#placeWords([filter.length / 8, this.addBytes(filter)]);
  }

  #placeWords(words: number[]): number {
    const at = this.#reserve(words.length * WORD);
    words.forEach((word, index) => {
      this.writeWord(at + index * WORD, word);
    });
    return at;
  }

  /** The address of a thing; `place` puts it into the list. */
  #once(thing: unknown, place: () => number): number {
    const known = this.#known.get(thing);
    if (known !== undefined) return known;
    const address = LIST_ADDRESS + place();
    this.#known.set(thing, address);
    return address;
  }

  /** Zeroed room, 8-byte aligned. */
  #reserve(size: number): number {
    const at = this.#size;
    this.#size += (size + 7) & ~7;
    if (this.#size > this.#buffer.length) {
      this.#buffer = Buffer.concat([this.#buffer, Buffer.alloc(this.#size)]);
    }
    return at;
  }
}
