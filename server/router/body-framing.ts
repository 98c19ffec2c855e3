import { FieldNames, isLookAlike } from './field-names.ts';
import { FieldScanner } from './field-scanner.ts';

/** Instead of a length in bytes. */
export const CHUNKED = -1;
export const UNTIL_CLOSE = -2;
export const NO_BODY = -3;

/** A body breaks the rules of its framing. */
export class FramingError extends Error {}

/** Finds where a body ends in the bytes that follow its head, and says what of them goes on. */
export interface BodyFraming {
  /** All of the body was seen. */
  readonly done: boolean;
  /** Of a chunked body that is done: field lines to pass on, each with its CRLF. */
  readonly trailers?: string;
  /**
   * Takes the bytes of `chunk` from `start` on, appends those to pass on to `out`, and returns the offset behind those that
   * belong to the body. Throws FramingError.
   */
  feed(chunk: Buffer, start: number, out: Buffer[]): number;
}

/** `body`: bytes, CHUNKED, UNTIL_CLOSE or NO_BODY. `decode` takes a chunked body's framing off. */
export function framingOf(body: number, options: { decode?: boolean } = {}): BodyFraming {
  if (body === CHUNKED) return new ChunkedFraming(options.decode === true);
  if (body === UNTIL_CLOSE) return new OpenFraming();
  return new LengthFraming(body === NO_BODY ? 0 : body);
}

class LengthFraming implements BodyFraming {
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  feed(chunk: Buffer, start: number, out: Buffer[]): number {
    const end = Math.min(chunk.length, start + this.#left);
    if (end > start) out.push(slice(chunk, start, end));
    this.#left -= end - start;
    return end;
  }
}

/** A body that ends where the connection does. */
class OpenFraming implements BodyFraming {
  readonly done = false;

  feed(chunk: Buffer, start: number, out: Buffer[]): number {
    if (start < chunk.length) out.push(slice(chunk, start, chunk.length));
    return chunk.length;
  }
}

/**
 * RFC 9112, 7.1: sizes of at most 13 hexadecimal digits, lines that end in CRLF and nothing else. Extensions are not passed on,
 * and neither are trailer fields that a server might merge into the head.
 */
class ChunkedFraming implements BodyFraming {
  readonly #decode: boolean;
  #state: 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'done' = 'size';
  #size = 0;
  #digits = 0;
  #extension = 0;
  #trailer = '';
  /** What of it may be passed on. */
  #kept = '';
  #chunk: Buffer = EMPTY;
  #out: Buffer[] = [];
  /** Start of what is passed on of the chunk at hand; -1: nothing pending. */
  #from = -1;

  constructor(decode: boolean) {
    this.#decode = decode;
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  get trailers(): string {
    return this.#kept;
  }

  feed(chunk: Buffer, start: number, out: Buffer[]): number {
    this.#chunk = chunk;
    this.#out = out;
    let at = start;
    while (at < chunk.length && this.#state !== 'done') at = this.#step(at);
    this.#flush(at);
    this.#chunk = EMPTY;
    return at;
  }

  #step(at: number): number {
    switch (this.#state) {
      case 'size':
        return this.#readSize(at);
      case 'extension':
        return this.#readExtension(at);
      case 'size-lf':
        return this.#endSizeLine(at);
      case 'data':
        return this.#readData(at);
      case 'data-cr':
        this.#expect(at, CR);
        this.#state = 'data-lf';
        return this.#framing(at);
      case 'data-lf':
        this.#expect(at, LF);
        this.#state = 'size';
        return this.#framing(at);
      default:
        return this.#readTrailer(at);
    }
  }

  #readSize(at: number): number {
    const byte = this.#chunk[at]!;
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#digits > MAX_DIGITS) throw new FramingError('chunk size too large');
      this.#size = this.#size * 16 + digit;
    } else if (this.#digits === 0) {
      throw new FramingError('chunk size missing');
    } else if (byte === SEMICOLON) {
      this.#flush(at);
      this.#state = 'extension';
      return at + 1;
    } else {
      this.#expect(at, CR);
      this.#state = 'size-lf';
    }
    return this.#framing(at);
  }

  #readExtension(at: number): number {
    const byte = this.#chunk[at]!;
    if (byte === CR) {
      this.#state = 'size-lf';
      return this.#framing(at);
    }
    if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f) throw new FramingError('malformed chunk extension');
    if (++this.#extension > MAX_EXTENSION) throw new FramingError('chunk extension too long');
    return at + 1;
  }

  #endSizeLine(at: number): number {
    this.#expect(at, LF);
    const next = this.#framing(at);
    this.#state = this.#size === 0 ? 'trailer' : 'data';
    if (this.#size === 0) this.#flush(next);
    this.#digits = 0;
    this.#extension = 0;
    return next;
  }

  #readData(at: number): number {
    const end = Math.min(this.#chunk.length, at + this.#size);
    if (this.#from < 0) this.#from = at;
    this.#size -= end - at;
    if (this.#size === 0) {
      this.#state = 'data-cr';
      if (this.#decode) this.#flush(end);
    }
    return end;
  }

  /** Collects the trailer section up to the empty line. */
  #readTrailer(at: number): number {
    const byte = this.#chunk[at]!;
    this.#trailer += String.fromCharCode(byte);
    if (this.#trailer.length > MAX_TRAILER) throw new FramingError('trailer section too long');
    if (byte !== LF) return at + 1;
    if (this.#trailer === '\r\n' || this.#trailer.endsWith('\r\n\r\n')) {
      const kept = keptTrailers(this.#trailer);
      if (!this.#decode) this.#out.push(Buffer.from(kept, 'latin1'));
      this.#kept = kept.slice(0, -2);
      this.#state = 'done';
    } else if (!this.#trailer.endsWith('\r\n')) {
      throw new FramingError('bare LF in the trailer section');
    }
    return at + 1;
  }

  #expect(at: number, byte: number): void {
    if (this.#chunk[at] !== byte) throw new FramingError('malformed chunk');
  }

  /** Counts a byte of framing in, which is passed on unless the framing is taken off. */
  #framing(at: number): number {
    if (!this.#decode && this.#from < 0) this.#from = at;
    return at + 1;
  }

  #flush(end: number): void {
    if (this.#from >= 0 && end > this.#from) this.#out.push(slice(this.#chunk, this.#from, end));
    this.#from = -1;
  }
}

/** Frames a body in chunks that came without a length. */
export const chunks = {
  wrap(pieces: Buffer[]): Buffer[] {
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (size === 0) return [];
    return [Buffer.from(`${size.toString(16)}\r\n`, 'latin1'), ...pieces, Buffer.from('\r\n', 'latin1')];
  },
  end: '0\r\n\r\n',
};

/**
 * Checks a trailer section, up to and with its empty line, and takes the fields out that count only in a head (RFC 9110, 6.5.1).
 * Throws FramingError.
 */
function keptTrailers(section: string): string {
  const bytes = Buffer.from(section, 'latin1');
  const scanner = new FieldScanner(NOT_IN_TRAILERS);
  if (scanner.scan(bytes, 0, bytes.length) < 0) throw new FramingError('malformed trailer field');
  let kept = '';
  let at = 0;
  for (const line of scanner.lines.slice(0, scanner.count)) {
    const name = section.slice(line.start, line.nameEnd).toLowerCase();
    if (line.name === undefined && !name.startsWith('x-forwarded-') && !isLookAlike(name)) continue;
    kept += section.slice(at, line.start);
    at = line.next;
  }
  return kept + section.slice(at);
}

function slice(chunk: Buffer, start: number, end: number): Buffer {
  return start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end);
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

const EMPTY = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const MAX_DIGITS = 13;
const MAX_EXTENSION = 256;
const MAX_TRAILER = 8 * 1024;

const NOT_IN_TRAILERS = new FieldNames([
  'transfer-encoding',
  'content-length',
  'content-encoding',
  'content-type',
  'content-range',
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'max-forwards',
  'range',
  'cache-control',
  'pragma',
  'authorization',
  'proxy-authorization',
  'proxy-authenticate',
  'www-authenticate',
  'cookie',
  'set-cookie',
  'location',
  'vary',
  'date',
  'age',
  'expires',
  'retry-after',
  'forwarded',
  'via',
  'x-real-ip',
  'x-request-id',
  'x-request-start',
  'x-http-method-override',
]);
