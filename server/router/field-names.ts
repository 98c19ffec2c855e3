/** A set of field names that can tell in two steps that a name is none of them, without making a string of it. */
export class FieldNames {
  readonly #shapes = new Uint8Array(128 * 64);

  constructor(names: Iterable<string>) {
    for (const name of names) this.#shapes[shapeOf(name.charCodeAt(0), name.length)] = 1;
  }

  /** False: it is none of them. */
  mayHave(text: string, start: number, end: number): boolean {
    const length = end - start;
    return length < 64 && this.#shapes[shapeOf(text.charCodeAt(start) | 0x20, length)] === 1;
  }
}

function shapeOf(first: number, length: number): number {
  return (first & 127) * 64 + length;
}

/** The lower-cased members of a list of tokens, undefined if one is none (RFC 9110, 5.6.1). */
export function parseTokens(list: string): string[] | undefined {
  const tokens = list
    .toLowerCase()
    .split(',')
    .map((token) => token.trim());
  if (!tokens.every((token) => /^[!#$%&'*+.^_`|~0-9a-z-]*$/.test(token))) return undefined;
  return tokens.filter((token) => token !== '');
}

/** Takes the named fields (lower case) out of field lines. */
export function withoutFields(fields: string, names: string[]): string {
  return fields
    .split('\r\n')
    .filter((line) => !names.includes(line.slice(0, line.indexOf(':')).toLowerCase()))
    .join('\r\n');
}

/** A name that servers which fold other characters to hyphens or underscores would take for one that counts (CGI does). */
export function isLookAlike(name: string): boolean {
  const plain = name.replace(/[^a-z0-9]/g, '-');
  return plain !== name && (HANDLED_NAMES.includes(plain) || plain.startsWith('x-forwarded-'));
}

/** Between two neighbours only, or the router's own to say (Proxy: CVE-2016-5385). */
export const DROPPED = new Set([
  'te',
  'trailer',
  'keep-alive',
  'proxy-connection',
  'http2-settings',
  'proxy',
  'forwarded',
  'x-real-ip',
  'x-request-start',
]);

/** The fields of a request that the router reads, drops or writes itself. */
export const HANDLED_NAMES = [
  ...DROPPED,
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
