import { CHUNKED, NO_BODY } from './body-framing.ts';
import {
  type ConnectionOptions,
  FieldNames,
  HANDLED_NAMES,
  isKept,
  isLookAlike,
  parseConnection,
  withoutFields,
} from './field-names.ts';
import { type FieldLine, FieldScanner, INCOMPLETE, MALFORMED, TOO_MANY } from './field-scanner.ts';
import { parseHost } from './host.ts';
import { Refusal } from './refusal.ts';
import { inOriginForm, RequestLineScanner } from './request-line.ts';

/** A request's head that nobody can read in two ways, and what of it goes to the dyno. */
export interface RequestHead {
  method: string;
  /** In origin-form, or `*`. */
  target: string;
  /** HTTP/1.0 or HTTP/1.1. */
  minor: 0 | 1;
  /** What routes are looked up by: lower case, no port, no trailing dot. */
  host: string;
  /** What is passed on: the request line, and field lines in their order, each with its CRLF. */
  text: string;
  /** Bytes of the body, CHUNKED or NO_BODY. */
  body: number;
  keepAlive: boolean;
  /** The client asks for a WebSocket. */
  upgrade: boolean;
  /** Of a client that is well-formed. */
  requestId: string | undefined;
  forwardedFor: string | undefined;
  via: string | undefined;
  /** Max-Forwards is spent: the router is the one to answer. */
  isForRouter: boolean;
  /** Offset behind the head in the bytes that it was read from. */
  end: number;
}

/** Reads one request's head after the other, refusing whatever another parser could understand differently (RFC 9112, RFC 9110). */
export class RequestHeadReader {
  readonly #line = new RequestLineScanner();
  readonly #scanner = new FieldScanner(new FieldNames(HANDLED_NAMES));
  /** The head at hand; what is at `offset` in the bytes is at 0 here. */
  #text = '';
  #offset = 0;
  #method = '';
  #target = '';
  #authority: string | undefined;
  #out = '';
  /** The start of what is passed on as it came, up to the line being read. */
  #keptFrom = 0;
  #host: string | undefined;
  #body = NO_BODY;
  #connection: string | undefined;
  #upgrade: string | undefined;
  #expects = false;
  #requestId: string | undefined;
  #forwardedFor: string | undefined;
  #via: string | undefined;
  #isForRouter = false;

  /** Reads the head that starts at `start`; undefined: its end is not there yet. Throws Refusal. */
  read(bytes: Buffer, start: number, end: number): RequestHead | undefined {
    const lineEnd = this.#line.scan(bytes, start, end);
    if (lineEnd === INCOMPLETE) return undefined;
    const next = this.#scanner.scan(bytes, lineEnd, end);
    this.#reset(start);
    this.#text = bytes.toString('latin1', start, next < 0 ? lineEnd : next - 2);
    this.#takeLine(bytes, lineEnd);
    if (next === INCOMPLETE) return undefined;
    if (next === MALFORMED) throw new Refusal(400, 'malformed field line');
    if (next === TOO_MANY) throw new Refusal(431, 'too many fields');
    for (let i = 0; i < this.#scanner.count; i++) this.#take(this.#scanner.lines[i]!);
    return this.#finish(next);
  }

  #reset(start: number): void {
    this.#offset = start;
    this.#authority = undefined;
    this.#out = '';
    this.#keptFrom = 0;
    this.#host = undefined;
    this.#body = NO_BODY;
    this.#connection = undefined;
    this.#upgrade = undefined;
    this.#expects = false;
    this.#requestId = undefined;
    this.#forwardedFor = undefined;
    this.#via = undefined;
    this.#isForRouter = false;
  }

  #takeLine(bytes: Buffer, lineEnd: number): void {
    const { methodEnd, targetEnd, minor } = this.#line;
    const offset = this.#offset;
    const isGet = methodEnd - offset === 3 && this.#text.startsWith(GET);
    this.#method = isGet ? GET : this.#text.slice(0, methodEnd - offset);
    if (this.#method === 'CONNECT') throw new Refusal(405, 'CONNECT');
    this.#target = this.#text.slice(methodEnd + 1 - offset, targetEnd - offset);
    const isOrigin = bytes[methodEnd + 1] === SLASH;
    if (!isOrigin) {
      const { target, authority } = inOriginForm(this.#method, this.#target);
      this.#target = target;
      this.#authority = authority;
    }
    if (isOrigin && minor === 1) return;
    this.#out = `${this.#method} ${this.#target} HTTP/1.1\r\n`;
    this.#keptFrom = lineEnd - offset;
  }

  #finish(end: number): RequestHead {
    this.#out = this.#keptFrom === 0 ? this.#text : this.#out + this.#text.slice(this.#keptFrom);
    if (this.#host === undefined) throw new Refusal(400, 'no Host');
    const { minor } = this.#line;
    const options = this.#connectionOptions();
    if (this.#expects && minor === 1 && this.#body !== NO_BODY) this.#out += 'Expect: 100-continue\r\n';
    return {
      method: this.#method,
      target: this.#target,
      minor,
      host: this.#authority === undefined ? this.#host : parseHost(this.#authority),
      text: this.#out,
      body: this.#body,
      keepAlive: isKept(options, minor),
      upgrade: options.upgrade && this.#isWebSocket(),
      requestId: this.#requestId,
      forwardedFor: this.#forwardedFor,
      via: this.#via,
      isForRouter: this.#isForRouter,
      end,
    };
  }

  #take(line: FieldLine): void {
    switch (line.name) {
      case 'host':
        this.#takeHost(line);
        break;
      case 'content-length':
        this.#takeContentLength(line);
        break;
      case 'transfer-encoding':
        this.#takeTransferEncoding(line);
        break;
      case 'connection':
        this.#connection = joined(this.#connection, this.#value(line));
        this.#drop(line);
        break;
      case 'upgrade':
        this.#upgrade = joined(this.#upgrade, this.#value(line));
        this.#drop(line);
        break;
      case 'expect':
        this.#takeExpect(line);
        break;
      case 'max-forwards':
        this.#takeMaxForwards(line);
        break;
      case 'x-forwarded-for':
        this.#forwardedFor = joined(this.#forwardedFor, this.#value(line));
        this.#drop(line);
        break;
      case 'x-request-id':
        this.#takeRequestId(line);
        break;
      case 'via':
        this.#via = joined(this.#via, this.#value(line));
        this.#drop(line);
        break;
      default:
        if (line.name !== undefined || this.#isDropped(line)) this.#drop(line);
    }
  }

  #takeHost(line: FieldLine): void {
    if (this.#host !== undefined) throw new Refusal(400, 'two Host fields');
    this.#host = parseHost(this.#value(line));
    if (this.#authority !== undefined) this.#replace(line, `Host: ${this.#authority}\r\n`);
  }

  #takeContentLength(line: FieldLine): void {
    if (this.#body !== NO_BODY) throw new Refusal(400, 'two lengths');
    const value = this.#value(line);
    if (!CONTENT_LENGTH.test(value)) throw new Refusal(400, 'malformed Content-Length');
    this.#body = Number(value);
    this.#replace(line, `Content-Length: ${this.#body}\r\n`);
  }

  #takeTransferEncoding(line: FieldLine): void {
    if (this.#body !== NO_BODY) throw new Refusal(400, 'two lengths');
    if (this.#line.minor === 0) throw new Refusal(400, 'Transfer-Encoding in HTTP/1.0');
    if (this.#value(line).toLowerCase() !== 'chunked') throw new Refusal(400, 'unknown Transfer-Encoding');
    this.#body = CHUNKED;
    this.#replace(line, 'Transfer-Encoding: chunked\r\n');
  }

  #takeExpect(line: FieldLine): void {
    if (this.#value(line).toLowerCase() !== '100-continue' && this.#line.minor === 1) {
      throw new Refusal(417, 'unknown expectation');
    }
    this.#expects = true;
    this.#drop(line);
  }

  /** RFC 9110, 7.6.2: for OPTIONS and TRACE alone. */
  #takeMaxForwards(line: FieldLine): void {
    if (this.#method !== 'OPTIONS' && this.#method !== 'TRACE') return;
    const value = this.#value(line);
    if (!/^\d{1,10}$/.test(value)) throw new Refusal(400, 'malformed Max-Forwards');
    const left = Number(value);
    if (left === 0) this.#isForRouter = true;
    this.#replace(line, `Max-Forwards: ${Math.max(0, left - 1)}\r\n`);
  }

  /** One that is malformed, or one of two, is none. */
  #takeRequestId(line: FieldLine): void {
    const value = this.#value(line);
    this.#requestId = this.#requestId === undefined && REQUEST_ID.test(value) ? value : '';
    this.#drop(line);
  }

  /** Of names that start with x, and odd ones. */
  #isDropped(line: FieldLine): boolean {
    const name = this.#text.slice(line.start - this.#offset, line.nameEnd - this.#offset).toLowerCase();
    return name.startsWith('x-forwarded-') || isLookAlike(name);
  }

  /** Reads Connection's list and takes the fields that it names out of what is passed on (RFC 9110, 7.6.1). */
  #connectionOptions(): ConnectionOptions {
    const options = parseConnection(this.#connection);
    if (!options) throw new Refusal(400, 'malformed Connection');
    const { named } = options;
    if (named.length === 0) return options;
    if (named.some((name) => FRAMING.has(name)))
      throw new Refusal(400, 'Connection names a field it must not');
    this.#out = withoutFields(this.#out, named);
    if (named.includes('x-forwarded-for')) this.#forwardedFor = undefined;
    return options;
  }

  /** Other upgrades (h2c above all) are not taken: what they carry could not be checked. */
  #isWebSocket(): boolean {
    return (
      this.#upgrade?.toLowerCase() === 'websocket' &&
      this.#line.minor === 1 &&
      this.#method === GET &&
      this.#body === NO_BODY
    );
  }

  #value(line: FieldLine): string {
    return this.#text.slice(line.valueStart - this.#offset, line.valueEnd - this.#offset);
  }

  #drop(line: FieldLine): void {
    this.#out += this.#text.slice(this.#keptFrom, line.start - this.#offset);
    this.#keptFrom = line.next - this.#offset;
  }

  #replace(line: FieldLine, text: string): void {
    this.#drop(line);
    this.#out += text;
  }
}

function joined(list: string | undefined, value: string): string {
  return list === undefined ? value : `${list}, ${value}`;
}

const CONTENT_LENGTH = /^\d{1,15}$/;
const REQUEST_ID = /^[A-Za-z0-9+/=._-]{20,200}$/;
const GET = 'GET';
const SLASH = 0x2f;
/** A Connection that names one of these would make the next server read the request differently. */
const FRAMING = new Set(['host', 'content-length', 'transfer-encoding']);
