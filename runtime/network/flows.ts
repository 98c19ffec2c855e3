import { closeSync } from 'node:fs';
import { AF, SOCK } from '../syscall/constants.ts';
import { systemCall, systemCallAsync } from '../syscall/system-call.ts';
import { attribute, attribute8, attribute32 } from './netlink-batch.ts';

/**
 * Has the kernel forget where it sends datagrams to a UDP port of the host. It decides once, for as long as they keep coming:
 * without this, a client that goes on asking would never reach the container that has the port now (conntrack's
 * include/uapi/linux/netfilter/nfnetlink_conntrack.h).
 */
export async function forgetDatagramFlows(port: number): Promise<void> {
  const socket = systemCall('socket', AF.NETLINK, SOCK.RAW | SOCK.CLOEXEC, NETLINK_NETFILTER);
  try {
    const flows = await list(socket, port);
    for (const flow of flows) send(socket, { type: CT_DELETE, flags: REQUEST, attributes: [flow] });
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
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO = { NUM: 1, DST_PORT: 3 };
const CTA_FILTER_ORIG_FLAGS = 1;
const FILTER_BY = { PROTO_NUM: 1 << 3, PROTO_DST_PORT: 1 << 5 };
const UDP = 17;
const HEADER = 16;
const NFGENMSG = 4;
const BUFFER = 1 << 16;

/** The first directions of all flows to the port, as attributes that name them. */
async function list(socket: number, port: number): Promise<Buffer[]> {
  const portBytes = Buffer.from([port >> 8, port & 0xff]);
  const wanted = attribute(
    CTA_TUPLE_PROTO | NESTED,
    attribute8(CTA_PROTO.NUM, UDP),
    attribute(CTA_PROTO.DST_PORT, portBytes),
  );
  const filter = attribute32(CTA_FILTER_ORIG_FLAGS, FILTER_BY.PROTO_NUM | FILTER_BY.PROTO_DST_PORT);
  const attributes = [attribute(CTA.TUPLE_ORIG | NESTED, wanted), attribute(CTA.FILTER | NESTED, filter)];
  send(socket, { type: CT_GET, flags: REQUEST | DUMP, attributes });
  const flows: Buffer[] = [];
  const bytes = Buffer.alloc(BUFFER);
  for (;;) {
    const length = await systemCallAsync('recvfrom', socket, bytes, BUFFER, 0);
    for (let at = 0; at + HEADER <= length; ) {
      const size = bytes.readUInt32LE(at);
      const type = bytes.readUInt16LE(at + 4);
      if (type === NLMSG_DONE || type === NLMSG_ERROR || size < HEADER) return flows;
      const flow = firstDirection(bytes.subarray(at + HEADER + NFGENMSG, at + size));
      if (flow) flows.push(Buffer.from(flow));
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

function firstDirection(attributes: Buffer): Buffer | undefined {
  for (let at = 0; at + 4 <= attributes.length; ) {
    const size = attributes.readUInt16LE(at);
    if ((attributes.readUInt16LE(at + 2) & ~NESTED) === CTA.TUPLE_ORIG)
      return attributes.subarray(at, at + size);
    at += Math.max(4, (size + 3) & ~3);
  }
  return undefined;
}
