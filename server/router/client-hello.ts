/** What a client says first in TLS, as far as it decides where the connection goes. */
export interface ClientHello {
  /** Lower case, without a trailing dot; undefined: none. */
  serverName: string | undefined;
  /** Of ALPN (RFC 7301). */
  protocols: string[];
}

/** What was sent is no TLS, or breaks its rules. */
export class BadHello extends Error {}

/**
 * Reads a ClientHello (RFC 8446, 4.1.2) that may be spread over several records; undefined: it is not all there. Throws BadHello as soon
 * as it can be none, and for a name that stands in it twice or is none.
 */
export function parseClientHello(bytes: Buffer): ClientHello | undefined {
  const message = handshakeMessage(bytes);
  if (!message) return undefined;
  const hello = new Reader(message);
  // Version and random; session id; cipher suites; compression methods.
  hello.skip(2 + 32);
  hello.vector(1, [0, 32]);
  hello.vector(2, [2, 0xfffe]);
  hello.vector(1, [1, 255]);
  const found: ClientHello = { serverName: undefined, protocols: [] };
  if (hello.isAtEnd) return found;
  const extensions = hello.vector(2, [0, 0xffff]);
  if (!hello.isAtEnd) throw new BadHello('bytes after the extensions');
  const seen = new Set<number>();
  while (!extensions.isAtEnd) {
    const type = extensions.integer(2);
    const data = extensions.vector(2, [0, 0xffff]);
    if (seen.has(type)) throw new BadHello('an extension twice');
    seen.add(type);
    if (type === SERVER_NAME) found.serverName = readServerName(data);
    if (type === ALPN) found.protocols = readProtocols(data);
  }
  return found;
}

/** The first handshake message out of its records, without its header; undefined: there is more to come. */
function handshakeMessage(bytes: Buffer): Buffer | undefined {
  const fragments: Buffer[] = [];
  let have = 0;
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== HANDSHAKE || (bytes.length > at + 1 && bytes[at + 1] !== 3)) {
      throw new BadHello('no TLS record');
    }
    if (bytes.length < at + RECORD_HEADER) return undefined;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > MAX_FRAGMENT) throw new BadHello('a record of a wrong length');
    const fragment = bytes.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length);
    fragments.push(fragment);
    // Each is looked at again with every read.
    if (fragments.length > MAX_RECORDS) throw new BadHello('too many records');
    have += fragment.length;
    at += RECORD_HEADER + length;
    const message = wholeMessage(fragments, have);
    if (message) return message;
  }
  return undefined;
}

function wholeMessage(fragments: Buffer[], have: number): Buffer | undefined {
  if (fragments[0]![0] !== undefined && fragments[0]![0] !== CLIENT_HELLO)
    throw new BadHello('no ClientHello');
  if (have < MESSAGE_HEADER) return undefined;
  const message = fragments.length === 1 ? fragments[0]! : Buffer.concat(fragments);
  const length = message.readUIntBE(1, 3);
  if (length > MAX_HELLO) throw new BadHello('a ClientHello too long');
  if (have < MESSAGE_HEADER + length) return undefined;
  if (have > MESSAGE_HEADER + length) throw new BadHello('bytes after the ClientHello');
  return message.subarray(MESSAGE_HEADER);
}

/** RFC 6066, 3. */
function readServerName(data: Reader): string {
  const names = data.vector(2, [1, 0xffff]);
  if (names.integer(1) !== HOST_NAME) throw new BadHello('a name of another type');
  const name = names.vector(2, [1, 255]).text();
  if (!names.isAtEnd || !data.isAtEnd) throw new BadHello('two names');
  if (!NAME.test(name)) throw new BadHello('a malformed name');
  return name.toLowerCase().replace(/\.$/, '');
}

function readProtocols(data: Reader): string[] {
  const list = data.vector(2, [2, 0xffff]);
  if (!data.isAtEnd) throw new BadHello('bytes after the protocols');
  const protocols: string[] = [];
  while (!list.isAtEnd) protocols.push(list.vector(1, [1, 255]).text());
  return protocols;
}

/** Reads the presentation language's integers and vectors (RFC 8446, 3). */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  integer(size: number): number {
    const at = this.#at;
    this.skip(size);
    return this.#bytes.readUIntBE(at, size);
  }

  /** One that begins with its length, in so many bytes. */
  vector(size: number, [least, most]: [number, number]): Reader {
    const length = this.integer(size);
    if (length < least || length > most) throw new BadHello('a vector of a wrong length');
    const at = this.#at;
    this.skip(length);
    return new Reader(this.#bytes.subarray(at, at + length));
  }

  skip(length: number): void {
    if (this.#at + length > this.#bytes.length) throw new BadHello('the end in the middle');
    this.#at += length;
  }

  text(): string {
    return this.#bytes.toString('latin1', this.#at);
  }
}

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const ALPN = 16;
const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
const MAX_FRAGMENT = 16 * 1024;
/** Real ones are in one, or in a handful to get past somebody who reads along. */
const MAX_RECORDS = 64;
/** Real ones have 2 KB at most, with keys that withstand quantum computers. */
const MAX_HELLO = 16 * 1024;
const NAME = /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$/;
