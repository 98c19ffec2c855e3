import { CHUNKED, NO_BODY, UNTIL_CLOSE } from './body-framing.ts';
import { type ConnectionOptions, FieldNames, isKept, parseConnection, withoutFields } from './field-names.ts';
import { type FieldLine, FieldScanner, INCOMPLETE } from './field-scanner.ts';

/** A response's head, and what of it goes to the client. */
export interface ResponseHead {
  status: number;
  /**
   * What is passed on: the status line, and field lines in their order, each with its CRLF; without Transfer-Encoding and what is
   * between two neighbours only.
   */
  text: string;
  /** What stands in the bytes from the empty line on, if that is not much. */
  rest: string | undefined;
  /** Bytes of the body, CHUNKED, NO_BODY or UNTIL_CLOSE. */
  body: number;
  /** How long its connection may be kept idle in milliseconds: 0 not at all, undefined if it does not say. */
  keepAlive: number | undefined;
  /** What a 101 switches to, in lower case. */
  upgrade: string | undefined;
  hasDate: boolean;
  /** Offset behind the head in the bytes that it was read from. */
  end: number;
}

/** What a dyno sent is not HTTP (503), or can be understood in two ways (502). */
export class BadResponse extends Error {
  readonly status: 502 | 503;

  constructor(status: 502 | 503, why: string) {
    super(why);
    this.name = 'BadResponse';
    this.status = status;
  }
}

/** Reads one response's head after the other. */
export class ResponseHeadReader {
  readonly #scanner = new FieldScanner(HANDLED);
  /** The head at hand; what is at `offset` in the bytes is at 0 here. */
  #text = '';
  #offset = 0;
  #method = '';
  #minor = 1;
  #status = 0;
  #out = '';
  /** The start of what is passed on as it came, up to the line being read. */
  #keptFrom = 0;
  #length: number | undefined;
  #chunked = false;
  #connection: string | undefined;
  #idle: number | undefined;
  #upgrade: string | undefined;
  #hasDate = false;

  /**
   * Reads the head that starts at `start`; undefined: its end is not there yet. `method`: the request's. Throws BadResponse, as soon
   * as it can be none.
   */
  read(bytes: Buffer, start: number, end: number, method: string): ResponseHead | undefined {
    const lineEnd = scanStatusLine(bytes, start, end);
    if (lineEnd === INCOMPLETE) return undefined;
    const next = this.#scanner.scan(bytes, lineEnd, end);
    if (next === INCOMPLETE) return undefined;
    if (next < 0) throw new BadResponse(502, 'malformed fields');
    const isShort = end - start <= SHORT;
    this.#text = bytes.toString('latin1', start, isShort ? end : next);
    this.#offset = start;
    this.#method = method;
    this.#reset();
    for (let i = 0; i < this.#scanner.count; i++) this.#take(this.#scanner.lines[i]!);
    return this.#finish(next, isShort);
  }

  #reset(): void {
    const text = this.#text;
    this.#minor = text.charCodeAt(MINOR) - ZERO;
    this.#status =
      (text.charCodeAt(STATUS) - ZERO) * 100 +
      (text.charCodeAt(STATUS + 1) - ZERO) * 10 +
      (text.charCodeAt(STATUS + 2) - ZERO);
    // Whatever the dyno speaks, the router speaks HTTP/1.1.
    this.#out = this.#minor === 0 ? 'HTTP/1.1' : '';
    this.#keptFrom = this.#out.length;
    this.#length = undefined;
    this.#chunked = false;
    this.#connection = undefined;
    this.#idle = undefined;
    this.#upgrade = undefined;
    this.#hasDate = false;
  }

  #take(line: FieldLine): void {
    switch (line.name) {
      case 'content-length':
        this.#takeLength(line);
        break;
      case 'transfer-encoding':
        if (this.#chunked || this.#minor === 0 || this.#value(line).toLowerCase() !== 'chunked') {
          throw new BadResponse(502, 'unknown Transfer-Encoding');
        }
        this.#chunked = true;
        this.#drop(line);
        break;
      case 'connection':
        this.#connection =
          this.#connection === undefined ? this.#value(line) : `${this.#connection},${this.#value(line)}`;
        this.#drop(line);
        break;
      case 'keep-alive':
        this.#idle = parseIdle(this.#value(line));
        this.#drop(line);
        break;
      case 'upgrade':
        this.#upgrade = this.#value(line);
        this.#drop(line);
        break;
      case 'date':
        this.#hasDate = true;
        break;
      case 'te':
      case 'trailer':
      case 'proxy-connection':
        this.#drop(line);
    }
  }

  #finish(end: number, isShort: boolean): ResponseHead {
    const fieldsEnd = end - 2 - this.#offset;
    this.#out += this.#text.slice(this.#keptFrom, fieldsEnd);
    const options = this.#connectionOptions();
    return {
      status: this.#status,
      text: this.#out,
      rest: isShort ? this.#text.slice(fieldsEnd) : undefined,
      body: this.#bodyLength(),
      keepAlive: isKept(options, this.#minor) ? this.#idle : 0,
      upgrade: this.#upgrade?.toLowerCase(),
      hasDate: this.#hasDate,
      end,
    };
  }

  #takeLength(line: FieldLine): void {
    if (this.#length !== undefined) throw new BadResponse(502, 'two Content-Length fields');
    const length = parseLength(this.#value(line));
    if (length === undefined) throw new BadResponse(502, 'malformed Content-Length');
    this.#length = length;
    if (hasNoContent(this.#status)) this.#drop(line);
  }

  #connectionOptions(): ConnectionOptions {
    const options = parseConnection(this.#connection);
    if (!options) throw new BadResponse(502, 'malformed Connection');
    const { named } = options;
    if (named.length === 0) return options;
    if (named.includes('content-length')) throw new BadResponse(502, 'Connection names a field it must not');
    this.#out = withoutFields(this.#out, named);
    return options;
  }

  /** RFC 9112, 6.3. */
  #bodyLength(): number {
    if (this.#chunked && this.#length !== undefined) throw new BadResponse(502, 'two lengths');
    if (this.#method === 'HEAD' || hasNoContent(this.#status) || this.#status === 304) return NO_BODY;
    if (this.#chunked) return CHUNKED;
    return this.#length ?? UNTIL_CLOSE;
  }

  #value(line: FieldLine): string {
    return this.#text.slice(line.valueStart - this.#offset, line.valueEnd - this.#offset);
  }

  #drop(line: FieldLine): void {
    this.#out += this.#text.slice(this.#keptFrom, line.start - this.#offset);
    this.#keptFrom = line.next - this.#offset;
  }
}

/** `HTTP/1.1 200 OK`; returns where the next line starts, INCOMPLETE if it is not all there. */
function scanStatusLine(bytes: Buffer, start: number, end: number): number {
  for (let i = 0; i < STATUS_LINE.length && start + i < end; i++) {
    const byte = bytes[start + i]!;
    const wanted = STATUS_LINE.charCodeAt(i);
    if (wanted === DIGIT ? !isDigit(byte) : byte !== wanted) throw notHttp();
  }
  let at = start + STATUS_LINE.length;
  if (at >= end) return INCOMPLETE;
  const isMinor = bytes[start + MINOR]! <= ONE;
  if (!isMinor || bytes[start + STATUS] === ZERO) throw notHttp();
  if (bytes[at] !== SPACE && bytes[at] !== CR) throw notHttp();
  while (at < end && isReason(bytes[at]!)) at++;
  if (at === end) return INCOMPLETE;
  if (bytes[at] !== CR) throw notHttp();
  if (at + 1 === end) return INCOMPLETE;
  if (bytes[at + 1] !== LF) throw notHttp();
  return at + 2;
}

/** At most 15 digits, so that it is exact. */
function parseLength(value: string): number | undefined {
  if (value.length === 0 || value.length > 15) return undefined;
  let length = 0;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (!isDigit(code)) return undefined;
    length = length * 10 + code - ZERO;
  }
  return length;
}

/** `timeout=5` → 4000: one second less, so that the router is the one that closes; at most a minute. */
function parseIdle(value: string): number | undefined {
  if (value === USUAL_IDLE) return 4000;
  const match = /(?:^|[,;\s])timeout=(\d{1,9})/i.exec(value);
  return match ? Math.min(Math.max(Number(match[1]) - 1, 0), 60) * 1000 : undefined;
}

function hasNoContent(status: number): boolean {
  return status < 200 || status === 204;
}

function notHttp(): BadResponse {
  return new BadResponse(503, 'not HTTP');
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39;
}

function isReason(byte: number): boolean {
  return (byte >= SPACE && byte !== 0x7f) || byte === 0x09;
}

/** # stands for any digit. */
const STATUS_LINE = 'HTTP/1.# ###';
const MINOR = 7;
const STATUS = 9;
const DIGIT = 0x23;
const ZERO = 0x30;
const ONE = 0x31;
const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

/** A response of so many bytes is made a string of as a whole. */
const SHORT = 16 * 1024;
/** What Node's own servers say. */
const USUAL_IDLE = 'timeout=5';
const HANDLED = new FieldNames([
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'date',
  'te',
  'trailer',
  'proxy-connection',
]);
