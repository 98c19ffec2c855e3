/** A set of field names that is asked without making a string of the name at hand. */
export class FieldNames {
  /** By first letter and length: which of the lists of candidates below, 0 for none. */
  readonly #shapes = new Uint8Array(128 * MAX_LENGTH);
  readonly #candidates: string[][] = [[]];

  /** `names`: lower case. */
  constructor(names: Iterable<string>) {
    for (const name of names) {
      const shape = shapeOf(name.charCodeAt(0), name.length);
      if (this.#shapes[shape] === 0) this.#shapes[shape] = this.#candidates.push([]) - 1;
      this.#candidates[this.#shapes[shape]!]!.push(name);
    }
  }

  /** The member that stands in `bytes` from `start` to `end`, in whatever case. */
  find(bytes: Uint8Array, start: number, end: number): string | undefined {
    const length = end - start;
    if (length >= MAX_LENGTH) return undefined;
    const shape = this.#shapes[shapeOf(bytes[start]! | LOWER, length)]!;
    if (shape === 0) return undefined;
    const candidates = this.#candidates[shape]!;
    for (let i = 0; i < candidates.length; i++)
      if (isName(bytes, start, candidates[i]!)) return candidates[i];
    return undefined;
  }
}

function isName(bytes: Uint8Array, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[start + i]!;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | LOWER : byte;
    if (lower !== name.charCodeAt(i)) return false;
  }
  return true;
}

function shapeOf(first: number, length: number): number {
  return (first & 127) * MAX_LENGTH + length;
}

const MAX_LENGTH = 64;
const LOWER = 0x20;

/** What a Connection field says (RFC 9110, 7.6.1). */
export interface ConnectionOptions {
  readonly close: boolean;
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  /** The fields that it names, lower case. */
  readonly named: readonly string[];
}

/** Whether a connection is kept after a message with these options, of HTTP/1.`minor` (RFC 9112, 9.3). */
export function isKept({ close, keepAlive }: ConnectionOptions, minor: number): boolean {
  return !close && (minor !== 0 || keepAlive);
}

/** Reads Connection's value, undefined if it is no list of tokens. */
export function parseConnection(list: string | undefined): ConnectionOptions | undefined {
  if (list === undefined) return NO_OPTIONS;
  if (list === 'keep-alive') return KEEP_ALIVE;
  if (list === 'close') return CLOSE;
  const tokens = list
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '');
  if (!tokens.every((token) => /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(token))) return undefined;
  return {
    close: tokens.includes('close'),
    keepAlive: tokens.includes('keep-alive'),
    upgrade: tokens.includes('upgrade'),
    named: tokens.filter((token) => token !== 'close' && token !== 'keep-alive' && token !== 'upgrade'),
  };
}

const NO_OPTIONS: ConnectionOptions = { close: false, keepAlive: false, upgrade: false, named: [] };
const CLOSE: ConnectionOptions = { ...NO_OPTIONS, close: true };
const KEEP_ALIVE: ConnectionOptions = { ...NO_OPTIONS, keepAlive: true };

/** Takes the named fields (lower case) out of a head's lines behind the first. */
export function withoutFields(head: string, names: readonly string[]): string {
  const [first, ...lines] = head.split('\r\n');
  const kept = lines.filter((line) => !names.includes(line.slice(0, line.indexOf(':')).toLowerCase()));
  return [first, ...kept].join('\r\n');
}

/** A name that servers which fold other characters to hyphens or underscores would take for one that counts (CGI does). */
export function isLookAlike(name: string): boolean {
  const plain = name.replace(/[^a-z0-9]/g, '-');
  return plain !== name && (HANDLED_NAMES.includes(plain) || plain.startsWith('x-forwarded-'));
}

/** Between two neighbours only, or the router's own to say (Proxy: CVE-2016-5385). */
export const DROPPED_NAMES = [
  'te',
  'trailer',
  'keep-alive',
  'proxy-connection',
  'http2-settings',
  'proxy',
  'forwarded',
  'x-real-ip',
  'x-request-start',
];

/** The fields of a request that the router reads, drops or writes itself. */
export const HANDLED_NAMES = [
  ...DROPPED_NAMES,
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'upgrade',
  'expect',
  'max-forwards',
  'x-forwarded-for',
  'x-request-id',
  'via',
];
