/** Message types and flags of rtnetlink(7). */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  NEWADDR: 20,
  NEWROUTE: 24,
  DELROUTE: 25,
  NEWNEIGH: 28,
} as const;
const NLM_F = { REQUEST: 1, ACK: 4, EXCL: 0x200, CREATE: 0x400 } as const;

/** For requests that change something, and for those that make something new. */
export const CHANGE = NLM_F.REQUEST | NLM_F.ACK;
export const MAKE = CHANGE | NLM_F.CREATE | NLM_F.EXCL;

const NETLINK_HEADER = 16;

/** Requests of rtnetlink(7), put together to be sent at once. Each is answered by one acknowledgement. */
export class NetlinkBatch {
  readonly #parts: Buffer[] = [];
  #count = 0;

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  /** How many acknowledgements will come. */
  get count(): number {
    return this.#count;
  }

  /** One request: the fixed part of its type (`struct ifinfomsg` …), then attributes. */
  add(request: { type: number; flags: number; fixed: Buffer; attributes?: Buffer[] }): this {
    const body = [request.fixed, ...(request.attributes ?? [])];
    const header = Buffer.alloc(NETLINK_HEADER);
    header.writeUInt32LE(NETLINK_HEADER + body.reduce((size, part) => size + part.length, 0), 0);
    header.writeUInt16LE(request.type, 4);
    header.writeUInt16LE(request.flags, 6);
    header.writeUInt32LE(++this.#count, 8);
    this.#parts.push(header, ...body);
    return this;
  }
}

/** An attribute with these bytes, padded to four. */
export function attribute(type: number, ...content: Buffer[]): Buffer {
  const size = 4 + content.reduce((sum, part) => sum + part.length, 0);
  const header = Buffer.alloc(4);
  header.writeUInt16LE(size, 0);
  header.writeUInt16LE(type, 2);
  return Buffer.concat([header, ...content, Buffer.alloc(-size & 3)]);
}

/** An attribute with a number of 32 bits. */
export function attribute32(type: number, value: number): Buffer {
  const content = Buffer.alloc(4);
  content.writeUInt32LE(value >>> 0);
  return attribute(type, content);
}

/** An attribute with a number of 8 bits. */
export function attribute8(type: number, value: number): Buffer {
  return attribute(type, Buffer.from([value]));
}

/** An attribute with a C string. */
export function attributeText(type: number, text: string): Buffer {
  return attribute(type, Buffer.from(`${text}\0`));
}

/** `struct ifinfomsg`. */
export function interfaceInfo(index: number, flags = 0, change = 0): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeInt32LE(index, 4);
  bytes.writeUInt32LE(flags, 8);
  bytes.writeUInt32LE(change, 12);
  return bytes;
}
