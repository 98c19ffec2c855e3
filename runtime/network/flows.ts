import { closeSync } from 'node:fs';
import { AF, SOCK } from '../syscall/constants.ts';
import { systemCall, systemCallAsync } from '../syscall/system-call.ts';
import { turns } from '../turns.ts';
import { attribute, attribute8, attribute32 } from './netlink-batch.ts';

/**
 * Has the kernel forget where it sends datagrams to a UDP port of the host. It decides once, for as long as they keep coming:
 * without this, a client that goes on asking would never reach the container that has the port now (conntrack's
 * include/uapi/linux/netfilter/nfnetlink_conntrack.h).
 */
export function forgetDatagramFlows(port: number): Promise<void> {
  const wanted = attribute(
    CTA_TUPLE.PROTO | NESTED,
    attribute8(CTA_PROTO.NUM, UDP),
    attribute(CTA_PROTO.DST_PORT, Buffer.from([port >> 8, port & 0xff])),
  );
  return forget({ wanted, by: FILTER_BY.PROTO_NUM | FILTER_BY.PROTO_DST_PORT });
}

/** Has the kernel forget all connections that this address has opened. */
export function forgetFlowsFrom(address: string): Promise<void> {
  const source = attribute(CTA_IP_V4_SRC, Buffer.from(address.split('.').map(Number)));
  return forget({ wanted: attribute(CTA_TUPLE.IP | NESTED, source), by: FILTER_BY.IP_SRC });
}

/** How many of the first `most` connections of the kernel's table each address has opened: they are in no order, so a sample. */
export async function sampleSources(most: number): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let seen = 0;
  await withSocket((socket) =>
    list(socket, [], (flow) => {
      const source = sourceOf(flow);
      if (source) counts.set(source, (counts.get(source) ?? 0) + 1);
      return ++seen < most;
    }),
  );
  return counts;
}

/** Part of a connection's first direction, and which fields of it. */
interface Pattern {
  wanted: Buffer;
  by: number;
}

async function forget({ wanted, by }: Pattern): Promise<void> {
  await withSocket(async (socket) => {
    const filter = attribute32(CTA_FILTER_ORIG_FLAGS, by);
    const flows: Buffer[] = [];
    const attributes = [attribute(CTA.TUPLE_ORIG | NESTED, wanted), attribute(CTA.FILTER | NESTED, filter)];
    await list(socket, attributes, (flow) => flows.push(Buffer.from(flow)) > 0);
    for (const flow of flows) {
      await turns.next();
      send(socket, { type: CT_DELETE, flags: REQUEST, attributes: [flow] });
    }
  });
}

async function withSocket(action: (socket: number) => Promise<void>): Promise<void> {
  const socket = systemCall('socket', AF.NETLINK, SOCK.RAW | SOCK.CLOEXEC, NETLINK_NETFILTER);
  try {
    await action(socket);
  } finally {
    closeSync(socket);
  }
}

const NETLINK_NETFILTER = 12;
/** NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_…. */
const CT_GET = (1 << 8) | 1;
const CT_DELETE = (1 << 8) | 2;
const REQUEST = 1;
const DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NESTED = 0x8000;
const CTA = { TUPLE_ORIG: 1, FILTER: 25 };
const CTA_TUPLE = { IP: 1, PROTO: 2 };
const CTA_IP_V4_SRC = 1;
const CTA_PROTO = { NUM: 1, DST_PORT: 3 };
const CTA_FILTER_ORIG_FLAGS = 1;
const FILTER_BY = { IP_SRC: 1 << 0, PROTO_NUM: 1 << 3, PROTO_DST_PORT: 1 << 5 };
const UDP = 17;
const HEADER = 16;
const NFGENMSG = 4;
const ATTRIBUTE_HEADER = 4;
const BUFFER = 1 << 16;

/** Calls `onFlow` with the first direction of each flow, as the attribute that names it, until it returns false. */
async function list(socket: number, attributes: Buffer[], onFlow: (flow: Buffer) => boolean): Promise<void> {
  send(socket, { type: CT_GET, flags: REQUEST | DUMP, attributes });
  const bytes = Buffer.alloc(BUFFER);
  for (;;) {
    const length = await systemCallAsync('recvfrom', socket, bytes, BUFFER, 0);
    for (let at = 0; at + HEADER <= length; ) {
      const size = bytes.readUInt32LE(at);
      const type = bytes.readUInt16LE(at + 4);
      if (type === NLMSG_DONE || type === NLMSG_ERROR || size < HEADER) return;
      const flow = findAttribute(bytes.subarray(at + HEADER + NFGENMSG, at + size), CTA.TUPLE_ORIG);
      if (flow && !onFlow(flow)) return;
      at += (size + 3) & ~3;
    }
  }
}

function send(
  socket: number,
  { type, flags, attributes }: { type: number; flags: number; attributes: Buffer[] },
): void {
  const body = Buffer.concat([Buffer.from([AF.INET, 0, 0, 0]), ...attributes]);
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(HEADER + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(flags, 6);
  const message = Buffer.concat([header, body]);
  systemCall('sendto', socket, message, message.length, 0, null, 0);
}

/** IPv4; undefined: it is of another kind. */
function sourceOf(flow: Buffer): string | undefined {
  const addresses = findAttribute(flow.subarray(ATTRIBUTE_HEADER), CTA_TUPLE.IP);
  const source = addresses && findAttribute(addresses.subarray(ATTRIBUTE_HEADER), CTA_IP_V4_SRC);
  return source?.subarray(ATTRIBUTE_HEADER).join('.');
}

/** With its header. */
function findAttribute(attributes: Buffer, type: number): Buffer | undefined {
  for (let at = 0; at + ATTRIBUTE_HEADER <= attributes.length; ) {
    const size = attributes.readUInt16LE(at);
    if ((attributes.readUInt16LE(at + 2) & ~NESTED) === type) return attributes.subarray(at, at + size);
    at += Math.max(ATTRIBUTE_HEADER, (size + 3) & ~3);
  }
  return undefined;
}
