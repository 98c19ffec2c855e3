import { EngineError } from '../engine-error.ts';
import {
  ATTRIBUTE_RECORD,
  BLOCK,
  checksumOf,
  FIELD,
  readable,
  type TarEntry,
  TYPE_FLAGS,
} from './tar-format.ts';

/** What a reader tells, in the archive's order. */
export interface TarListener {
  /** A member begins; `data` brings its content, `end` follows. */
  entry(entry: TarEntry): void;
  data(chunk: Buffer): void;
  end(): void;
}

/** Names and attributes in a header of their own; what is larger is an attack. */
const MAX_EXTENSION = 1024 * 1024;

/** Reads a tar that comes in pieces. Nothing of an archive is trusted: what is malformed or has no meaning here throws `invalid`. */
export class TarReader {
  readonly #listener: TarListener;
  #pending: Buffer = Buffer.alloc(0);
  /** Of the current member: content, and padding behind it. */
  #content = 0;
  #padding = 0;
  #inside = false;
  /** Content of the current header for the next member. */
  #extension: { type: string; chunks: Buffer[] } | undefined;
  #extended: Record<string, string> = {};
  #ended = false;
  #empty = true;

  constructor(listener: TarListener) {
    this.#listener = listener;
  }

  push(chunk: Buffer): void {
    let rest = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    while (!this.#ended) {
      const left = this.#take(rest);
      if (left === undefined) break;
      rest = left;
    }
    this.#pending = this.#ended ? Buffer.alloc(0) : Buffer.from(rest);
  }

  /** No more comes. Throws `invalid` if something is missing. An archive without an end mark is taken as many programs do. */
  finish(): void {
    if (this.#ended) return;
    if (this.#empty && this.#pending.length === 0) throw new EngineError('invalid', 'The archive is empty.');
    if (this.#inside || this.#extension || this.#padding > 0 || this.#pending.length > 0) {
      throw new EngineError('invalid', 'The archive ends in the middle of a member.');
    }
  }

  /** Reads as much as can be read as one; undefined: more has to come. */
  #take(bytes: Buffer): Buffer | undefined {
    if (this.#content > 0) return bytes.length === 0 ? undefined : this.#takeContent(bytes);
    if (this.#inside || this.#extension) this.#endMember();
    if (this.#padding > 0) {
      if (bytes.length < this.#padding) return undefined;
      const skipped = bytes.subarray(this.#padding);
      this.#padding = 0;
      return skipped;
    }
    if (bytes.length < BLOCK) return undefined;
    this.#header(bytes.subarray(0, BLOCK));
    return bytes.subarray(BLOCK);
  }

  #takeContent(bytes: Buffer): Buffer {
    const chunk = bytes.subarray(0, this.#content);
    this.#content -= chunk.length;
    if (this.#extension) this.#extension.chunks.push(Buffer.from(chunk));
    else this.#listener.data(chunk);
    return bytes.subarray(chunk.length);
  }

  #endMember(): void {
    if (this.#inside) this.#listener.end();
    else this.#extend();
    this.#inside = false;
    this.#extension = undefined;
  }

  #header(header: Buffer): void {
    this.#empty = false;
    if (header.every((byte) => byte === 0)) {
      this.#ended = true;
      return;
    }
    if (numberAt(header, 'checksum') !== checksumOf(header)) {
      throw new EngineError('invalid', 'This is not a tar archive, or it is damaged.');
    }
    const flag = String.fromCharCode(header[FIELD.type[0]]!);
    if ('xgLK'.includes(flag)) this.#beginExtension(flag, numberAt(header, 'size'));
    else this.#beginMember(header, flag);
  }

  #beginExtension(type: string, size: number): void {
    if (size > MAX_EXTENSION) {
      throw new EngineError('invalid', `A member of the archive has ${size} bytes of names and attributes.`);
    }
    this.#extension = { type, chunks: [] };
    this.#expect(size);
  }

  /** Takes in what the last header said about the next member. */
  #extend(): void {
    const { type, chunks } = this.#extension!;
    const content = Buffer.concat(chunks).toString('latin1');
    // What is said for all members (g) are comments in practice.
    if (type === 'x') Object.assign(this.#extended, paxRecords(content));
    if (type === 'L') this.#extended.path = upToNul(content);
    if (type === 'K') this.#extended.linkpath = upToNul(content);
  }

  #beginMember(header: Buffer, flag: string): void {
    const said = this.#extended;
    this.#extended = {};
    const name = said.path ?? nameOf(header);
    const type = TYPE_FLAGS.get(flag);
    if (!type || Object.keys(said).some((key) => key.startsWith('GNU.sparse.'))) {
      throw new EngineError('invalid', `"${readable(name)}" is of a kind ("${flag}") that is not supported.`);
    }
    const hasContent = type === 'file' && !name.endsWith('/');
    const size = said.size === undefined ? numberAt(header, 'size') : decimal(said.size, 'size');
    this.#listener.entry({
      name,
      type: type === 'file' && name.endsWith('/') ? 'folder' : type,
      mode: numberAt(header, 'mode') & 0o7777,
      uid: said.uid === undefined ? numberAt(header, 'uid') : decimal(said.uid, 'uid'),
      gid: said.gid === undefined ? numberAt(header, 'gid') : decimal(said.gid, 'gid'),
      size: hasContent ? size : 0,
      mtime: said.mtime === undefined ? numberAt(header, 'mtime') : Math.floor(Number(said.mtime)) || 0,
      linkName: said.linkpath ?? textAt(header, 'linkName'),
      attributes: attributesOf(said),
    });
    this.#inside = true;
    this.#expect(hasContent ? size : 0);
  }

  #expect(size: number): void {
    this.#content = size;
    this.#padding = (BLOCK - (size % BLOCK)) % BLOCK;
  }
}

/** `LENGTH KEY=VALUE\n` each. */
function paxRecords(content: string): Record<string, string> {
  const records: Record<string, string> = Object.create(null);
  for (let at = 0; at < content.length; ) {
    const blank = content.indexOf(' ', at);
    const length = Number(content.slice(at, blank));
    const record = content.slice(blank + 1, at + length - 1);
    const equals = record.indexOf('=');
    if (blank < 0 || !(length > blank - at + 2) || content[at + length - 1] !== '\n' || equals < 1) {
      throw new EngineError('invalid', 'The archive has a damaged header.');
    }
    records[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return records;
}

function attributesOf(records: Record<string, string>): Record<string, string> {
  const found = Object.entries(records).filter(([key]) => key.startsWith(ATTRIBUTE_RECORD));
  return Object.fromEntries(found.map(([key, value]) => [key.slice(ATTRIBUTE_RECORD.length), value]));
}

function nameOf(header: Buffer): string {
  const name = textAt(header, 'name');
  const isPosix = header.toString('latin1', FIELD.magic[0], FIELD.magic[0] + 6) === 'ustar\0';
  const prefix = isPosix ? textAt(header, 'prefix') : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function textAt(header: Buffer, field: keyof typeof FIELD): string {
  const [start, length] = FIELD[field];
  return upToNul(header.toString('latin1', start, start + length));
}

/** Octal digits; or, with the highest bit set, a number of up to 8 bytes, as GNU writes large ones. */
function numberAt(header: Buffer, field: keyof typeof FIELD): number {
  const [start, length] = FIELD[field];
  if (header[start] === 0x80) return safe(header.readBigUInt64BE(start + length - 8), field);
  const text = textAt(header, field).trim();
  // A time before 1970 (0xff …) is of no use to anybody.
  if (header[start] === 0xff && field === 'mtime') return 0;
  if (!/^[0-7]*$/.test(text))
    throw new EngineError('invalid', `The archive has a damaged header (${field}).`);
  return Number.parseInt(text || '0', 8);
}

function decimal(text: string, field: string): number {
  if (!/^\d{1,16}$/.test(text))
    throw new EngineError('invalid', `The archive has a damaged header (${field}).`);
  return safe(BigInt(text), field);
}

function safe(value: bigint, field: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new EngineError('invalid', `The archive has a damaged header (${field}).`);
  }
  return Number(value);
}

function upToNul(text: string): string {
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}
