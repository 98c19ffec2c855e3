import type { FieldNames } from './field-names.ts';

/** A line that the scanner was told to mark. Offsets in the bytes that were scanned. */
export interface FieldLine {
  /** Of the names to mark, undefined: one that has other characters than letters, digits and hyphens, or starts with x. */
  name: string | undefined;
  start: number;
  nameEnd: number;
  /** Without white space around it. */
  valueStart: number;
  valueEnd: number;
  /** Where the next line starts. */
  next: number;
}

/** What scan() returns instead of an offset. */
export const INCOMPLETE = -1;
export const MALFORMED = -2;
export const TOO_MANY = -3;

/**
 * Reads field lines as RFC 9112 section 5 has them, without the leniencies that it allows: no line folding, no space before the
 * colon, no bare CR or LF, no control characters. Marks the few that count.
 */
export class FieldScanner {
  /** Those marked in the scan at hand; what stands behind `count` is of earlier ones. */
  readonly lines: FieldLine[] = [];
  count = 0;
  readonly #names: FieldNames;

  constructor(names: FieldNames) {
    this.#names = names;
  }

  /** Scans from the start of the first line to the empty one; returns the offset behind that, INCOMPLETE, MALFORMED or TOO_MANY. */
  scan(bytes: Uint8Array, start: number, end: number): number {
    this.count = 0;
    let at = start;
    for (let lines = 0; lines <= MAX_FIELDS; lines++) {
      if (at >= end) return INCOMPLETE;
      if (bytes[at] === CR) return at + 1 >= end ? INCOMPLETE : bytes[at + 1] === LF ? at + 2 : MALFORMED;
      at = this.#readLine(bytes, at, end);
      if (at < 0) return at;
    }
    return TOO_MANY;
  }

  #readLine(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    let odd = 0;
    while (at < end) {
      const kind = NAME[bytes[at]!]!;
      if (kind === 0) break;
      odd |= kind;
      at++;
    }
    if (at >= end) return INCOMPLETE;
    if (at === start || bytes[at] !== COLON) return MALFORMED;
    const nameEnd = at++;
    while (at < end && isBlank(bytes[at]!)) at++;
    const valueStart = at;
    while (at < end && VALUE[bytes[at]!] === PLAIN) at++;
    if (at + 1 >= end) return at < end && bytes[at] !== CR ? MALFORMED : INCOMPLETE;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) return MALFORMED;
    const name = this.#names.find(bytes, start, nameEnd);
    if (name !== undefined || odd > PLAIN || (bytes[start]! | 0x20) === LETTER_X) {
      let valueEnd = at;
      while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1]!)) valueEnd--;
      this.#mark(name, start);
      const line = this.lines[this.count - 1]!;
      line.nameEnd = nameEnd;
      line.valueStart = valueStart;
      line.valueEnd = valueEnd;
      line.next = at + 2;
    }
    return at + 2;
  }

  /** Uses the lines of earlier scans again. */
  #mark(name: string | undefined, start: number): void {
    const line = this.lines[this.count++];
    if (!line) {
      this.lines.push({ name, start, nameEnd: 0, valueStart: 0, valueEnd: 0, next: 0 });
      return;
    }
    line.name = name;
    line.start = start;
  }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}

const MAX_FIELDS = 256;
const PLAIN = 1;
const OTHER = 2;
const COLON = 0x3a;
const CR = 0x0d;
const LF = 0x0a;
const LETTER_X = 0x78;

/** What a field's name and a method are made of: tchar of RFC 9110, 5.6.2. */
export const NAME = new Uint8Array(256);
for (const char of "!#$%&'*+.^_`|~") NAME[char.charCodeAt(0)] = OTHER;
for (const char of '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
  NAME[char.charCodeAt(0)] = PLAIN;

/** What a field's value is made of: tab, space, visible characters and obs-text. */
const VALUE = new Uint8Array(256);
VALUE[0x09] = PLAIN;
for (let code = 0x20; code < 0x100; code++) if (code !== 0x7f) VALUE[code] = PLAIN;
