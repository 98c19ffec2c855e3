import { CHUNKED, NO_BODY } from './body-framing.ts';
import {
  DROPPED,
  FieldNames,
  HANDLED_NAMES,
  isLookAlike,
  parseTokens,
  withoutFields,
} from './field-names.ts';
import { FieldScanner } from './field-scanner.ts';

/** A request's head that nobody can read in two ways, and what of it goes to the dyno. */
export interface RequestHead {
  method: string;
  /** In origin-form, or `*`. */
  target: string;
  /** HTTP/1.0 or HTTP/1.1. */
  minor: 0 | 1;
  /** What routes are looked up by: lower case, no port, no trailing dot. */
  host: string;
  /** The field lines to pass on, in their order, each with its CRLF. */
  fields: string;
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
}

/** Why a request is not taken: it is answered with the status, and the connection closed. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, why: string) {
    super(why);
    this.name = 'Refusal';
    this.status = status;
  }
}

/**
 * Parses a request's head: `text` is all of it up to and with the CRLF of its last field line, one character a byte.
 * Throws Refusal for whatever another parser could understand differently (RFC 9112, RFC 9110).
 */
export function parseRequestHead(text: string): RequestHead {
  const lineEnd = text.indexOf('\r\n');
  const line = parseRequestLine(text.slice(0, lineEnd));
  return new FieldReader(text, line).read(lineEnd + 2);
}

export interface RequestLine {
  method: string;
  target: string;
  minor: 0 | 1;
}

/** Parses the first line, without its CRLF. Throws Refusal. */
export function parseRequestLine(line: string): RequestLine {
  if (line.length > MAX_LINE) throw new Refusal(414, 'request line too long');
  const match = REQUEST_LINE.exec(line);
  if (!match) throw new Refusal(400, 'malformed request line');
  const method = match[1]!;
  const target = match[2]!;
  const version = match[3]!;
  if (version !== '1.1' && version !== '1.0') {
    throw new Refusal(version === '0.9' ? 400 : 505, `HTTP/${version} is not spoken here`);
  }
  if (method === 'CONNECT') throw new Refusal(405, 'CONNECT');
  return { method, target, minor: version === '1.1' ? 1 : 0 };
}

/** Takes the field lines in, one by one, and decides about each. */
class FieldReader {
  readonly #text: string;
  readonly #line: RequestLine;
  readonly #scanner = new FieldScanner();
  #fields = '';
  /** The start of what is passed on as it came, up to the line being read. */
  #keptFrom = 0;
  #hostSeen = false;
  #host = '';
  #target: string;
  #body = NO_BODY;
  #connection: string | undefined;
  #upgrade: string | undefined;
  #expects = false;
  #requestId: string | undefined;
  #forwardedFor: string | undefined;
  #via: string | undefined;
  #isForRouter = false;

  constructor(text: string, line: RequestLine) {
    this.#text = text;
    this.#line = line;
    this.#target = line.target;
  }

  read(start: number): RequestHead {
    const authority = this.#readTarget();
    this.#readFields(start);
    if (!this.#hostSeen) throw new Refusal(400, 'no Host');
    if (authority !== undefined) this.#host = parseHost(authority);
    const tokens = this.#connectionTokens();
    const upgrade = this.#isWebSocket(tokens);
    if (this.#expects && this.#line.minor === 1 && this.#body !== NO_BODY)
      this.#fields += 'Expect: 100-continue\r\n';
    return {
      method: this.#line.method,
      target: this.#target,
      minor: this.#line.minor,
      host: this.#host,
      fields: this.#fields,
      body: this.#body,
      keepAlive: this.#line.minor === 1 ? !tokens.includes('close') : tokens.includes('keep-alive'),
      upgrade,
      requestId: this.#requestId,
      forwardedFor: this.#forwardedFor,
      via: this.#via,
      isForRouter: this.#isForRouter,
    };
  }

  /** Brings the target into origin-form; returns the authority if it had one (RFC 9112, 3.2). */
  #readTarget(): string | undefined {
    const target = this.#line.target;
    if (target.charCodeAt(0) === SLASH) return undefined;
    if (target === '*') {
      if (this.#line.method !== 'OPTIONS') throw new Refusal(400, '* is for OPTIONS alone');
      return undefined;
    }
    const match = ABSOLUTE.exec(target);
    if (!match) throw new Refusal(400, 'malformed target');
    const rest = match[2]!;
    if (rest === '' && this.#line.method === 'OPTIONS') this.#target = '*';
    else this.#target = rest.startsWith('/') ? rest : `/${rest}`;
    return match[1]!;
  }

  #readFields(start: number): void {
    const text = this.#text;
    const scanner = this.#scanner;
    let at = start;
    let count = 0;
    this.#keptFrom = start;
    while (at < text.length) {
      if (!scanner.read(text, at)) throw new Refusal(400, 'malformed field line');
      if (++count > MAX_FIELDS) throw new Refusal(431, 'too many fields');
      if (scanner.odd || HANDLED.mayHave(text, at, scanner.nameEnd) || isX(text.charCodeAt(at))) {
        this.#readField(at, text.slice(at, scanner.nameEnd).toLowerCase());
      }
      at = scanner.next;
    }
    this.#fields += text.slice(this.#keptFrom);
  }

  #readField(start: number, name: string): void {
    switch (name) {
      case 'host':
        this.#readHost(start);
        break;
      case 'content-length':
        this.#readContentLength(start);
        break;
      case 'transfer-encoding':
        this.#readTransferEncoding(start);
        break;
      case 'connection':
        this.#connection = joined(this.#connection, this.#value());
        this.#drop(start);
        break;
      case 'upgrade':
        this.#upgrade = joined(this.#upgrade, this.#value());
        this.#drop(start);
        break;
      case 'expect':
        this.#readExpect(start);
        break;
      case 'max-forwards':
        this.#readMaxForwards(start);
        break;
      case 'x-forwarded-for':
        this.#forwardedFor = joined(this.#forwardedFor, this.#value());
        this.#drop(start);
        break;
      case 'x-request-id':
        this.#requestId =
          this.#requestId === undefined && REQUEST_ID.test(this.#value()) ? this.#value() : '';
        this.#drop(start);
        break;
      case 'via':
        this.#via = joined(this.#via, this.#value());
        this.#drop(start);
        break;
      default:
        if (
          DROPPED.has(name) ||
          name.startsWith('x-forwarded-') ||
          (this.#scanner.odd && isLookAlike(name))
        ) {
          this.#drop(start);
        }
    }
  }

  #readHost(start: number): void {
    if (this.#hostSeen) throw new Refusal(400, 'two Host fields');
    this.#hostSeen = true;
    this.#host = parseHost(this.#value());
    const target = this.#line.target;
    if (target.charCodeAt(0) !== SLASH && target !== '*') {
      this.#replace(start, `Host: ${ABSOLUTE.exec(target)![1]}\r\n`);
    }
  }

  #readContentLength(start: number): void {
    if (this.#body !== NO_BODY) throw new Refusal(400, 'two lengths');
    if (!CONTENT_LENGTH.test(this.#value())) throw new Refusal(400, 'malformed Content-Length');
    this.#body = Number(this.#value());
    this.#replace(start, `Content-Length: ${this.#body}\r\n`);
  }

  #readTransferEncoding(start: number): void {
    if (this.#body !== NO_BODY) throw new Refusal(400, 'two lengths');
    if (this.#line.minor === 0) throw new Refusal(400, 'Transfer-Encoding in HTTP/1.0');
    if (this.#value().toLowerCase() !== 'chunked') throw new Refusal(400, 'unknown Transfer-Encoding');
    this.#body = CHUNKED;
    this.#replace(start, 'Transfer-Encoding: chunked\r\n');
  }

  #readExpect(start: number): void {
    if (this.#value().toLowerCase() !== '100-continue' && this.#line.minor === 1) {
      throw new Refusal(417, 'unknown expectation');
    }
    this.#expects = true;
    this.#drop(start);
  }

  /** RFC 9110, 7.6.2: for OPTIONS and TRACE alone. */
  #readMaxForwards(start: number): void {
    if (this.#line.method !== 'OPTIONS' && this.#line.method !== 'TRACE') return;
    if (!/^\d{1,10}$/.test(this.#value())) throw new Refusal(400, 'malformed Max-Forwards');
    const left = Number(this.#value());
    if (left === 0) this.#isForRouter = true;
    this.#replace(start, `Max-Forwards: ${Math.max(0, left - 1)}\r\n`);
  }

  /** Reads Connection's list and takes the fields that it names out of what is passed on (RFC 9110, 7.6.1). */
  #connectionTokens(): string[] {
    if (this.#connection === undefined) return [];
    const tokens = parseTokens(this.#connection);
    if (!tokens) throw new Refusal(400, 'malformed Connection');
    const named = tokens.filter((token) => !CONNECTION_OPTIONS.has(token));
    if (named.some((token) => FRAMING.has(token)))
      throw new Refusal(400, 'Connection names a field it must not');
    if (named.length > 0) this.#fields = withoutFields(this.#fields, named);
    if (named.includes('x-forwarded-for')) this.#forwardedFor = undefined;
    return tokens;
  }

  /** Other upgrades (h2c above all) are not taken: what they carry could not be checked. */
  #isWebSocket(tokens: string[]): boolean {
    return (
      this.#upgrade?.toLowerCase() === 'websocket' &&
      tokens.includes('upgrade') &&
      this.#line.minor === 1 &&
      this.#line.method === 'GET' &&
      this.#body === NO_BODY
    );
  }

  #value(): string {
    return this.#text.slice(this.#scanner.valueStart, this.#scanner.valueEnd);
  }

  #drop(start: number): void {
    this.#fields += this.#text.slice(this.#keptFrom, start);
    this.#keptFrom = this.#scanner.next;
  }

  #replace(start: number, line: string): void {
    this.#drop(start);
    this.#fields += line;
  }
}

/** Checks a Host field's value; returns the host alone in lower case, without a trailing dot. Throws Refusal. */
export function parseHost(value: string): string {
  const match = HOST.exec(value);
  if (!match || value.length > 255 || value.includes('..') || Number(match[2] ?? 0) > 65535) {
    throw new Refusal(400, 'malformed Host');
  }
  const host = match[1]!.toLowerCase();
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

function joined(list: string | undefined, value: string): string {
  return list === undefined ? value : `${list}, ${value}`;
}

function isX(code: number): boolean {
  return (code | 0x20) === 0x78;
}

const MAX_LINE = 16 * 1024;
const MAX_FIELDS = 256;
const SLASH = 0x2f;

// The target: visible ASCII without "#", which no client may send.
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([!"$-~]+) HTTP\/(\d\.\d)$/;
const ABSOLUTE = /^http:\/\/([^/?]*)(.*)$/i;
const HOST = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?)(?::(\d{0,5}))?$/i;
const CONTENT_LENGTH = /^\d{1,15}$/;
const REQUEST_ID = /^[A-Za-z0-9+/=._-]{20,200}$/;

const CONNECTION_OPTIONS = new Set(['close', 'keep-alive', 'upgrade']);
/** A Connection that names one of these would make the next server read the request differently. */
const FRAMING = new Set(['host', 'content-length', 'transfer-encoding']);

const HANDLED = new FieldNames(HANDLED_NAMES);
