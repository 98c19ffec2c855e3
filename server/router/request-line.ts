import { INCOMPLETE, NAME } from './field-scanner.ts';
import { Refusal } from './refusal.ts';

/** Finds the parts of a request's first line. Offsets are those of the line that was scanned last. */
export class RequestLineScanner {
  methodEnd = 0;
  targetEnd = 0;
  minor: 0 | 1 = 1;

  /** Returns where the next line starts, or INCOMPLETE. Throws Refusal as soon as it can be no request. */
  scan(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && NAME[bytes[at]!]! > 0) at++;
    this.methodEnd = at;
    if (at - start > MAX_METHOD) throw malformed();
    if (at === end) return INCOMPLETE;
    if (at === start || bytes[at] !== SPACE) throw malformed();
    at++;
    while (at < end && TARGET[bytes[at]!] === 1) at++;
    this.targetEnd = at;
    if (at - start > MAX_LINE) throw new Refusal(414, 'request line too long');
    if (at === end) return INCOMPLETE;
    if (at === this.methodEnd + 1 || bytes[at] !== SPACE) throw malformed();
    return this.#scanVersion(bytes, at + 1, end);
  }

  /** `HTTP/1.1` and its CRLF. */
  #scanVersion(bytes: Buffer, start: number, end: number): number {
    let digits = 0;
    for (let i = 0; i < VERSION_LINE.length; i++) {
      if (start + i >= end) return INCOMPLETE;
      const byte = bytes[start + i]!;
      if (i !== MAJOR && i !== MINOR) {
        if (byte !== VERSION_LINE.charCodeAt(i)) throw malformed();
      } else if (byte >= ZERO && byte <= ZERO + 9) {
        digits = digits * 10 + byte - ZERO;
      } else {
        throw malformed();
      }
    }
    if (digits !== 11 && digits !== 10) throw new Refusal(digits === 9 ? 400 : 505, 'another version');
    this.minor = digits === 11 ? 1 : 0;
    return start + VERSION_LINE.length;
  }
}

/** Brings a target that does not start with a slash into origin-form; `authority`: of one in absolute-form (RFC 9112, 3.2). */
export function inOriginForm(
  method: string,
  target: string,
): { target: string; authority: string | undefined } {
  if (target === '*') {
    if (method !== 'OPTIONS') throw new Refusal(400, '* is for OPTIONS alone');
    return { target, authority: undefined };
  }
  const match = ABSOLUTE.exec(target);
  if (!match) throw new Refusal(400, 'malformed target');
  const rest = match[2]!;
  const path = rest.startsWith('/') ? rest : `/${rest}`;
  return { authority: match[1]!, target: rest === '' && method === 'OPTIONS' ? '*' : path };
}

function malformed(): Refusal {
  return new Refusal(400, 'malformed request line');
}

const MAX_METHOD = 32;
const MAX_LINE = 16 * 1024;
const SPACE = 0x20;
const ZERO = 0x30;
const VERSION_LINE = 'HTTP/x.x\r\n';
const MAJOR = 5;
const MINOR = 7;
const ABSOLUTE = /^http:\/\/([^/?]*)(.*)$/i;

/** Visible ASCII without "#", which no client may send. */
const TARGET = new Uint8Array(256);
for (let code = 0x21; code < 0x7f; code++) if (code !== 0x23) TARGET[code] = 1;
