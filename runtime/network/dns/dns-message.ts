/**
 * Messages of the domain name system (RFC 1035, section 4), as far as a forwarder must understand them: header and question.
 * All that comes from containers goes through `parseQuery`, which reads nothing beyond the message and never throws.
 */
export interface DnsQuery {
  id: number;
  /** Lower case, without a final dot; `""`: the root. */
  name: string;
  type: number;
  /** 1: the Internet. */
  class: number;
  /** 0: a standard query. */
  opcode: number;
  recursionDesired: boolean;
  /** Where the question ends. */
  end: number;
  /** How large an answer by UDP may be (RFC 6891); undefined: the asker does not know EDNS. */
  payloadSize: number | undefined;
  bytes: Buffer;
}

export const TYPE = { A: 1, PTR: 12, AAAA: 28, ANY: 255, OPT: 41 } as const;
export const RCODE = {
  OK: 0,
  FORMAT_ERROR: 1,
  SERVER_FAILURE: 2,
  NO_SUCH_NAME: 3,
  NOT_IMPLEMENTED: 4,
  REFUSED: 5,
} as const;
export const CLASS_INTERNET = 1;

/** What one of ours is called, or which address a name has. */
export type DnsRecord = { type: typeof TYPE.A; address: string } | { type: typeof TYPE.PTR; name: string };

/** Longest query that we take: a question and an OPT record have room in it many times. */
export const MAX_QUERY = 1232;

/** Reads a query; undefined: it is none, or malformed. */
export function parseQuery(bytes: Buffer): DnsQuery | undefined {
  if (bytes.length < HEADER || bytes.length > MAX_QUERY) return undefined;
  const flags = bytes.readUInt16BE(2);
  const [questions, answers, authorities, additional] = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at));
  if (flags & FLAG.RESPONSE || questions !== 1 || answers || authorities || additional! > 2) return undefined;
  const name = parseName(bytes, HEADER);
  if (!name || name.end + 4 > bytes.length) return undefined;
  const end = name.end + 4;
  return {
    id: bytes.readUInt16BE(0),
    name: name.text,
    type: bytes.readUInt16BE(name.end),
    class: bytes.readUInt16BE(name.end + 2),
    opcode: (flags >> 11) & 0xf,
    recursionDesired: Boolean(flags & FLAG.RECURSION_DESIRED),
    end,
    payloadSize: payloadSize(bytes, end),
    bytes,
  };
}

/** Whether this is an answer to the query, and not to another one. */
export function isAnswerTo(query: DnsQuery, id: number, answer: Buffer): boolean {
  return (
    answer.length >= query.end &&
    answer.readUInt16BE(0) === id &&
    (answer.readUInt16BE(2) & FLAG.RESPONSE) !== 0 &&
    answer.readUInt16BE(4) === 1 &&
    answer.subarray(HEADER, query.end).equals(query.bytes.subarray(HEADER, query.end))
  );
}

export function responseCode(answer: Buffer): number {
  return answer.readUInt16BE(2) & 0xf;
}

/** The same message with another id. */
export function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return copy;
}

/** An answer of our own; the records are of the name that was asked for. `ttl` in seconds. */
export function encodeAnswer(
  query: DnsQuery,
  answer: { code: number; records: DnsRecord[]; ttl: number },
): Buffer {
  const { code, records, ttl } = answer;
  return Buffer.concat([
    header(query, { code, answers: records.length, additional: query.payloadSize === undefined ? 0 : 1 }),
    query.bytes.subarray(HEADER, query.end),
    ...records.map((record) => encodeRecord(record, ttl)),
    ...(query.payloadSize === undefined ? [] : [OPT_RECORD]),
  ]);
}

/** The answer, or where it is too large for UDP one that says so: the asker comes back by TCP. */
export function fitToUdp(query: DnsQuery, answer: Buffer): Buffer {
  if (answer.length <= Math.max(SMALLEST_PAYLOAD, query.payloadSize ?? 0)) return answer;
  const short = Buffer.concat([
    header(query, { code: responseCode(answer), answers: 0, additional: 0 }),
    query.bytes.subarray(HEADER, query.end),
  ]);
  short.writeUInt16BE(short.readUInt16BE(2) | FLAG.TRUNCATED, 2);
  return short;
}

/** `4.3.2.1.in-addr.arpa` → `1.2.3.4` */
export function addressOfReverseName(name: string): string | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  return match ? match.slice(1).reverse().map(Number).join('.') : undefined;
}

const HEADER = 12;
const FLAG = {
  RESPONSE: 0x8000,
  TRUNCATED: 0x0200,
  RECURSION_DESIRED: 0x0100,
  RECURSION_AVAILABLE: 0x0080,
};
const MAX_LABEL = 63;
const MAX_NAME = 255;
const SMALLEST_PAYLOAD = 512;
/** A pointer to the question's name. */
const SAME_NAME = Buffer.from([0xc0, HEADER]);
/** Root name, type OPT, payload size 1232, nothing more. */
const OPT_RECORD = Buffer.from([0, 0, TYPE.OPT, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);

/** A name without pointers: a question has nothing to point to. */
function parseName(bytes: Buffer, start: number): { text: string; end: number } | undefined {
  const labels: string[] = [];
  let at = start;
  while (at < bytes.length) {
    const length = bytes[at]!;
    if (length === 0) return { text: labels.join('.').toLowerCase(), end: at + 1 };
    if (length > MAX_LABEL || at + 1 + length - start >= MAX_NAME) return undefined;
    // Latin-1 keeps every byte; what no name of ours has is forwarded as it is.
    labels.push(bytes.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return undefined;
}

/** Of the OPT record behind the question, if it is the first there. */
function payloadSize(bytes: Buffer, at: number): number | undefined {
  const isOpt = at + 11 <= bytes.length && bytes[at] === 0 && bytes.readUInt16BE(at + 1) === TYPE.OPT;
  return isOpt ? bytes.readUInt16BE(at + 3) : undefined;
}

function header(
  query: DnsQuery,
  { code, answers, additional }: { code: number; answers: number; additional: number },
): Buffer {
  const bytes = Buffer.alloc(HEADER);
  const asked = query.recursionDesired ? FLAG.RECURSION_DESIRED : 0;
  bytes.writeUInt16BE(query.id, 0);
  bytes.writeUInt16BE(FLAG.RESPONSE | FLAG.RECURSION_AVAILABLE | asked | code, 2);
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt16BE(answers, 6);
  bytes.writeUInt16BE(additional, 10);
  return bytes;
}

function encodeRecord(record: DnsRecord, ttl: number): Buffer {
  const data =
    record.type === TYPE.A ? Buffer.from(record.address.split('.').map(Number)) : encodeName(record.name);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(record.type, 0);
  fixed.writeUInt16BE(CLASS_INTERNET, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([SAME_NAME, fixed, data]);
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1').subarray(0, MAX_LABEL));
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), label]),
    Buffer.from([0]),
  ]);
}
