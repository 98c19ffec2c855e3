/**
 * Reads field lines one at a time as RFC 9112 section 5 has them, without the leniencies that it allows: no line folding, no
 * space before the colon, no bare CR or LF, no control characters. Text is one character a byte (latin1).
 */
export class FieldScanner {
  /** Offsets in the text that was read last. The value stands without white space around it. */
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** Where the next line starts. */
  next = 0;
  /** The name has characters besides letters, digits and hyphens. */
  odd = false;

  /** Reads the line that starts at `start` of a text that ends with CRLF; false if it is malformed. */
  read(text: string, start: number): boolean {
    return this.#readName(text, start) && this.#readValue(text);
  }

  #readName(text: string, start: number): boolean {
    let at = start;
    this.odd = false;
    for (;;) {
      const kind = NAME[text.charCodeAt(at)];
      if (kind === OTHER) this.odd = true;
      else if (kind !== PLAIN) break;
      at++;
    }
    this.nameEnd = at;
    return at > start && text.charCodeAt(at) === COLON;
  }

  #readValue(text: string): boolean {
    let at = this.nameEnd + 1;
    while (isBlank(text.charCodeAt(at))) at++;
    this.valueStart = at;
    while (VALUE[text.charCodeAt(at)] === PLAIN) at++;
    if (text.charCodeAt(at) !== CR || text.charCodeAt(at + 1) !== LF) return false;
    this.next = at + 2;
    while (at > this.valueStart && isBlank(text.charCodeAt(at - 1))) at--;
    this.valueEnd = at;
    return true;
  }
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

const PLAIN = 1;
const OTHER = 2;
const COLON = 0x3a;
const CR = 0x0d;
const LF = 0x0a;

/** What a field's name is made of: tchar of RFC 9110, 5.6.2. */
const NAME = new Uint8Array(256);
for (const char of "!#$%&'*+.^_`|~") NAME[char.charCodeAt(0)] = OTHER;
for (const char of '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
  NAME[char.charCodeAt(0)] = PLAIN;

/** What a field's value is made of: tab, space, visible characters and obs-text. */
const VALUE = new Uint8Array(256);
VALUE[0x09] = PLAIN;
for (let code = 0x20; code < 0x100; code++) if (code !== 0x7f) VALUE[code] = PLAIN;
