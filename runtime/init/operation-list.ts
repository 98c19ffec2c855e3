import { SYSTEM_CALL_NUMBERS } from '../syscall/numbers.ts';
import { errnoNumber } from '../syscall/system-call.ts';

/** One thing that a new process does to itself before the app runs. */
export interface Operation {
  /** A system call's name, or one of init's own: spawn, execute, netlink, check_folder, drop_bounding, park, write_file (see init.c). */
  call: string;
  args: OperationArgument[];
  /** In words, after "could not": `mount /proc`. */
  purpose: string;
  /** Keeps the result under this name, for `{ result }` further on. */
  result?: string;
  /** This errno is no failure, e.g. `EEXIST`; or none is, by `any`. */
  tolerate?: string;
  /** It makes something on the disk of the runtime's data: that this disk is full, or can only be read, is not the container's fault. */
  onDataDisk?: true;
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

/** Writes into a file, all in one call, as control files need it. `flags` beside O_WRONLY and O_CLOEXEC. */
export function planFileWrite(
  path: string,
  content: string | Uint8Array,
  { purpose, flags = 0, mode = 0 }: { purpose: string; flags?: number; mode?: number },
): Operation {
  const WRONLY = 1;
  const length = typeof content === 'string' ? Buffer.byteLength(content) : content.length;
  return { call: 'write_file', args: [path, WRONLY | flags, mode, content, length], purpose };
}

/** The runtime sends these three with every list; an operation's own descriptors follow. */
export const FIXED_DESCRIPTORS = ['list', 'status', 'exit'];

/**
 * The bytes that init.c carries out; the encoding is drawn there. `descriptors` names what is sent along, in order. They are valid until the
 * next call.
 */
export function encodeOperations(operations: readonly Operation[], descriptors: readonly string[]): Buffer {
  const list = new List(operations.length);
  const places = {
    descriptors: new Map(descriptors.map((name, index) => [name, index])),
    results: new Map<string, number>(),
  };
  for (let index = 0; index < operations.length; index++) addOperation(list, operations[index]!, places);
  if (places.results.size > MAX_RESULTS) throw new Error(`${places.results.size} results are too many.`);
  return list.bytes();
}

const LIST_ADDRESS = 0x2_0000_0000;
const WORD = 8;
const HEADER_SIZE = 64;
const OPERATION_SIZE = 64;
/** In an operation: the kinds of its arguments, and the arguments. */
const KINDS = 4;
const ARGUMENTS = 16;
/** As in init.c, which has no room for more. */
const MAX_RESULTS = 255;
const NO_RESULT = 255;
const ANY_ERROR = 255;
const OWN_CALLS = new Map([
  ['spawn', 0x8000],
  ['execute', 0x8001],
  ['netlink', 0x8002],
  ['check_folder', 0x8003],
  ['drop_bounding', 0x8004],
  ['park', 0x8005],
  ['write_file', 0x8006],
]);
const KIND = { value: 0, descriptor: 1, result: 2 } as const;

/** By name: where among those sent along a descriptor is, and under which number a result is kept. */
interface Places {
  descriptors: ReadonlyMap<string, number>;
  results: Map<string, number>;
}

function addOperation(list: List, operation: Operation, places: Places): void {
  const { call, args, result, tolerate } = operation;
  const at = list.beginOperation(callNumber(call), {
    tolerated: tolerate === undefined ? 0 : toleratedErrno(tolerate),
    result: result === undefined ? NO_RESULT : (places.results.get(result) ?? places.results.size),
  });
  for (let position = 0; position < args.length; position++) {
    addArgument(list, args[position]!, { at, position, places });
  }
  if (result !== undefined && !places.results.has(result)) places.results.set(result, places.results.size);
}

function addArgument(
  list: List,
  argument: OperationArgument,
  { at, position, places }: { at: number; position: number; places: Places },
): void {
  if (argument === null) return;
  if (typeof argument === 'number') list.setNumber(at, position, argument);
  else if (typeof argument === 'string') list.setNumber(at, position, list.addString(argument));
  else if (typeof argument === 'bigint') list.setBigInt(at, position, argument);
  else if (argument instanceof Uint8Array) list.setNumber(at, position, list.addBytes(argument));
  else addNamed(list, argument, { at, position, places });
}

/** All four names are read as properties, which takes a tenth of asking for them by `in`. */
function addNamed(
  list: List,
  argument: Named,
  { at, position, places }: { at: number; position: number; places: Places },
): void {
  const { result, descriptor, strings, filter } = argument;
  if (result !== undefined) list.setKept(at, position, KIND.result, resultNumber(result, places));
  else if (descriptor !== undefined)
    list.setKept(at, position, KIND.descriptor, descriptorNumber(descriptor, places));
  else if (strings !== undefined) list.setNumber(at, position, list.addVector(strings));
  else list.setNumber(at, position, list.addFilter(filter!));
}

interface Named {
  result?: string;
  descriptor?: string;
  strings?: string[];
  filter?: Uint8Array;
}

function descriptorNumber(name: string, { descriptors }: Places): number {
  const number = descriptors.get(name);
  if (number === undefined) throw new Error(`No descriptor "${name}" is sent along.`);
  return number;
}

function resultNumber(name: string, { results }: Places): number {
  const number = results.get(name);
  if (number === undefined) throw new Error(`No operation before gives "${name}".`);
  return number;
}

function callNumber(name: string): number {
  const number = SYSTEM_CALL_NUMBERS.get(name) ?? OWN_CALLS.get(name);
  if (number === undefined) throw new Error(`There is no operation "${name}".`);
  return number;
}

function toleratedErrno(name: string): number {
  return name === 'any' ? ANY_ERROR : errnoNumber(name);
}

/** Shared by all lists, one after the other: making new memory for each would take longer than filling it. */
const usualMemory = memoryOf(256 << 10);

interface ListMemory {
  bytes: Buffer;
  /** The same memory. */
  halves: Int32Array;
}

function memoryOf(size: number): ListMemory {
  const memory = new ArrayBuffer(size);
  return { bytes: Buffer.from(memory), halves: new Int32Array(memory) };
}

/** The list's bytes: a head for the operations, and behind it what they point to; structures and vectors once each. */
class List {
  #memory = usualMemory;
  #size = 0;
  #count = 0;
  readonly #known = new Map<object, number>();

  constructor(operations: number) {
    const size = HEADER_SIZE + operations * OPERATION_SIZE;
    this.#makeRoom(size);
    this.#size = size;
    this.#memory.bytes.fill(0, 0, size);
    this.#memory.halves[0] = operations;
  }

  bytes(): Buffer {
    return this.#memory.bytes.subarray(0, this.#size);
  }

  /** Returns where it is. */
  beginOperation(call: number, { tolerated, result }: { tolerated: number; result: number }): number {
    const at = HEADER_SIZE + this.#count * OPERATION_SIZE;
    this.#count++;
    this.#memory.halves[at >> 2] = call | (tolerated << 16) | (result << 24);
    return at;
  }

  /** An argument that is this number, or address: up to 53 bits, two's complement. */
  setNumber(at: number, position: number, value: number): void {
    this.#setWord(at + ARGUMENTS + position * WORD, value);
  }

  setBigInt(at: number, position: number, value: bigint): void {
    this.#memory.bytes.writeBigInt64LE(BigInt.asIntN(64, value), at + ARGUMENTS + position * WORD);
  }

  /** An argument that is a descriptor or a result. */
  setKept(at: number, position: number, kind: number, index: number): void {
    this.#memory.bytes[at + KINDS + position] = kind;
    this.setNumber(at, position, index);
  }

  addString(text: string): number {
    if (text.includes('\0'))
      throw new Error(`A string for the kernel must not hold a NUL: ${JSON.stringify(text)}`);
    const MOST_BYTES = 3;
    this.#makeRoom(text.length * MOST_BYTES + WORD);
    const length = this.#memory.bytes.write(text, this.#size);
    this.#memory.bytes[this.#size + length] = 0;
    return this.#remember(undefined, length + 1);
  }

  addBytes(bytes: Uint8Array): number {
    const known = this.#known.get(bytes);
    if (known !== undefined) return known;
    this.#makeRoom(bytes.length);
    this.#memory.bytes.set(bytes, this.#size);
    return this.#remember(bytes, bytes.length);
  }

  addVector(strings: string[]): number {
    const known = this.#known.get(strings);
    if (known !== undefined) return known;
    const addresses = strings.map((text) => this.addString(text));
    return this.#remember(strings, this.#placeWords([...addresses, 0]));
  }

  /** `struct sock_fprog`: the number of instructions, 8 bytes each, and where they are. */
  addFilter(filter: Uint8Array): number {
    const address = this.addBytes(filter);
    return this.#remember(undefined, this.#placeWords([filter.length / 8, address]));
  }

  /** Returns how many bytes they take. */
  #placeWords(words: number[]): number {
    this.#makeRoom(words.length * WORD);
    for (let index = 0; index < words.length; index++) {
      this.#setWord(this.#size + index * WORD, words[index]!);
    }
    return words.length * WORD;
  }

  #setWord(at: number, value: number): void {
    const HALF = 2 ** 32;
    this.#memory.halves[at >> 2] = value | 0;
    this.#memory.halves[(at >> 2) + 1] = value > 0x7fff_ffff || value < 0 ? Math.floor(value / HALF) | 0 : 0;
  }

  /** What stands at the end is `size` bytes long; what comes next begins at a multiple of 8. Returns the address. */
  #remember(thing: object | undefined, size: number): number {
    const address = LIST_ADDRESS + this.#size;
    this.#size += (size + 7) & ~7;
    if (thing !== undefined) this.#known.set(thing, address);
    return address;
  }

  #makeRoom(size: number): void {
    if (this.#size + size + WORD <= this.#memory.bytes.length) return;
    const larger = memoryOf((2 * this.#memory.bytes.length + size + WORD) & ~7);
    larger.bytes.set(this.#memory.bytes);
    this.#memory = larger;
  }
}
