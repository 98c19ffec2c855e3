import { CHUNKED, NO_BODY, UNTIL_CLOSE } from './body-framing.ts';
import { FieldNames, parseTokens, withoutFields } from './field-names.ts';
import { FieldScanner } from './field-scanner.ts';

/** A response's head, and what of it goes to the client. */
export interface ResponseHead {
  status: number;
  /** Status and reason, e.g. `404 Not Found`. */
  statusText: string;
  /** The field lines to pass on, each with its CRLF: without Transfer-Encoding and what is between two neighbours only. */
  fields: string;
  /** Bytes of the body, CHUNKED, NO_BODY or UNTIL_CLOSE. */
  body: number;
  /** How long its connection may be kept idle in milliseconds: 0 not at all, undefined if it does not say. */
  keepAlive: number | undefined;
  /** What a 101 switches to, in lower case. */
  upgrade: string | undefined;
  hasDate: boolean;
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

/**
 * Parses a response's head: `text` is all of it up to and with the CRLF of its last field line, one character a byte; `method`
 * the request's. Throws BadResponse.
 */
export function parseResponseHead(text: string, method: string): ResponseHead {
  const lineEnd = text.indexOf('\r\n');
  const line = STATUS_LINE.exec(text.slice(0, lineEnd));
  if (!line) throw new BadResponse(503, 'malformed status line');
  const status = Number(line[2]);
  return new FieldReader(text, {
    minor: line[1] === '1' ? 1 : 0,
    status,
    reason: line[3] ?? '',
    method,
  }).read(lineEnd + 2);
}

interface StatusLine {
  minor: 0 | 1;
  status: number;
  reason: string;
  method: string;
}

class FieldReader {
  readonly #text: string;
  readonly #line: StatusLine;
  readonly #scanner = new FieldScanner();
  #fields = '';
  #keptFrom = 0;
  #length: number | undefined;
  #chunked = false;
  #connection: string | undefined;
  #idle: number | undefined;
  #upgrade: string | undefined;
  #hasDate = false;

  constructor(text: string, line: StatusLine) {
    this.#text = text;
    this.#line = line;
  }

  read(start: number): ResponseHead {
    this.#readFields(start);
    const tokens = this.#connectionTokens();
    return {
      status: this.#line.status,
      statusText: `${this.#line.status} ${this.#line.reason}`,
      fields: this.#fields,
      body: this.#bodyLength(),
      keepAlive: this.#keepAlive(tokens),
      upgrade: this.#upgrade?.toLowerCase(),
      hasDate: this.#hasDate,
    };
  }

  #readFields(start: number): void {
    const text = this.#text;
    const scanner = this.#scanner;
    let at = start;
    this.#keptFrom = start;
    while (at < text.length) {
      if (!scanner.read(text, at)) throw new BadResponse(502, 'malformed field line');
      if (HANDLED.mayHave(text, at, scanner.nameEnd)) {
        this.#readField(at, text.slice(at, scanner.nameEnd).toLowerCase());
      }
      at = scanner.next;
    }
    this.#fields += text.slice(this.#keptFrom);
  }

  #readField(start: number, name: string): void {
    switch (name) {
      case 'content-length':
        if (this.#length !== undefined) throw new BadResponse(502, 'two Content-Length fields');
        if (!/^\d{1,15}$/.test(this.#value())) throw new BadResponse(502, 'malformed Content-Length');
        this.#length = Number(this.#value());
        if (hasNoContent(this.#line.status)) this.#drop(start);
        return;
      case 'transfer-encoding':
        if (this.#chunked || this.#line.minor === 0 || this.#value().toLowerCase() !== 'chunked') {
          throw new BadResponse(502, 'unknown Transfer-Encoding');
        }
        this.#chunked = true;
        this.#drop(start);
        break;
      case 'connection':
        this.#connection =
          this.#connection === undefined ? this.#value() : `${this.#connection},${this.#value()}`;
        this.#drop(start);
        break;
      case 'keep-alive':
        this.#idle = parseIdle(this.#value());
        this.#drop(start);
        break;
      case 'upgrade':
        this.#upgrade = this.#value();
        this.#drop(start);
        break;
      case 'date':
        this.#hasDate = true;
        return;
      case 'te':
      case 'trailer':
      case 'proxy-connection':
        this.#drop(start);
    }
  }

  #connectionTokens(): string[] {
    if (this.#connection === undefined) return [];
    const tokens = parseTokens(this.#connection);
    if (!tokens) throw new BadResponse(502, 'malformed Connection');
    const named = tokens.filter(
      (token) => token !== 'close' && token !== 'keep-alive' && token !== 'upgrade',
    );
    if (named.includes('content-length')) throw new BadResponse(502, 'Connection names a field it must not');
    if (named.length > 0) this.#fields = withoutFields(this.#fields, named);
    return tokens;
  }

  /** RFC 9112, 6.3. */
  #bodyLength(): number {
    if (this.#chunked && this.#length !== undefined) throw new BadResponse(502, 'two lengths');
    const { status, method } = this.#line;
    if (method === 'HEAD' || hasNoContent(status) || status === 304) return NO_BODY;
    if (this.#chunked) return CHUNKED;
    return this.#length ?? UNTIL_CLOSE;
  }

  #keepAlive(tokens: string[]): number | undefined {
    if (tokens.includes('close')) return 0;
    if (this.#line.minor === 0 && !tokens.includes('keep-alive')) return 0;
    return this.#idle;
  }

  #value(): string {
    return this.#text.slice(this.#scanner.valueStart, this.#scanner.valueEnd);
  }

  #drop(start: number): void {
    this.#fields += this.#text.slice(this.#keptFrom, start);
    this.#keptFrom = this.#scanner.next;
  }
}

/** `timeout=5` → 4000: one second less, so that the router is the one that closes; at most a minute. */
function parseIdle(value: string): number | undefined {
  const match = /(?:^|[,;\s])timeout=(\d{1,9})/i.exec(value);
  return match ? Math.min(Math.max(Number(match[1]) - 1, 0), 60) * 1000 : undefined;
}

function hasNoContent(status: number): boolean {
  return status < 200 || status === 204;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t -~\x80-\xff]*))?$/;
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
