import { closeSync } from 'node:fs';
import { AF, SOCK } from './constants.ts';
import { onceReadable } from './readiness.ts';
import { SystemCallError, systemCall } from './system-call.ts';

/** A transaction in nftables. */
export interface NftablesChange {
  /** The process that made it. */
  pid: number;
  /** Names of the tables that it changed something in. */
  tables: Set<string>;
}

/**
 * Calls back when the rules of nftables in this network namespace have changed; without saying what, if there was too much.
 * Returns the function that ends it. See include/uapi/linux/netfilter/nf_tables.h.
 */
export function watchNftables(onChange: (change: NftablesChange | undefined) => void): () => void {
  const socket = systemCall('socket', AF.NETLINK, SOCK.RAW | SOCK.CLOEXEC | SOCK.NONBLOCK, NETLINK_NETFILTER);
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF.NETLINK, 0);
  address.writeUInt32LE(1 << (NFNLGRP_NFTABLES - 1), 8);
  systemCall('bind', socket, address, address.length);
  let tables = new Set<string>();
  const onMessage = ({ type, attributes }: Message) => {
    if (type !== NEW_GENERATION) {
      const table = attributes.get(TABLE_NAME);
      if (table) tables.add(table.toString('latin1').replace(/\0.*/s, ''));
      return;
    }
    onChange({ pid: attributes.get(NFTA_GEN_PROC_PID)?.readUInt32BE() ?? 0, tables });
    tables = new Set();
  };
  let stop = () => {};
  const listen = () => {
    stop = onceReadable(socket, () => {
      if (ended) return;
      stop = () => {};
      if (!readAll(socket, onMessage)) onChange(undefined);
      listen();
    });
  };
  let ended = false;
  listen();
  return () => {
    ended = true;
    stop();
    closeSync(socket);
  };
}

const NETLINK_NETFILTER = 12;
const NFNLGRP_NFTABLES = 7;
const NLMSG_HEADER = 16;
const NFGENMSG = 4;
const ATTRIBUTE_HEADER = 4;
/** The end of a transaction: NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWGEN. All others begin with a table's name. */
const NEW_GENERATION = (10 << 8) | 15;
const NFTA_GEN_PROC_PID = 2;
const TABLE_NAME = 1;
const BUFFER = 1 << 16;

interface Message {
  type: number;
  attributes: Map<number, Buffer>;
}

/** Returns false if the socket could not hold all that there was (ENOBUFS). */
function readAll(socket: number, onMessage: (message: Message) => void): boolean {
  const bytes = Buffer.alloc(BUFFER);
  try {
    for (;;) {
      const length = systemCall('recvfrom', socket, bytes, BUFFER, 0);
      for (const message of messages(bytes.subarray(0, length))) onMessage(message);
    }
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    return error.code === 'EAGAIN';
  }
}

function* messages(bytes: Buffer): Generator<Message> {
  for (let at = 0; at + NLMSG_HEADER <= bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    if (length < NLMSG_HEADER) return;
    const body = bytes.subarray(at + NLMSG_HEADER + NFGENMSG, at + length);
    yield { type: bytes.readUInt16LE(at + 4), attributes: attributesIn(body) };
    at += (length + 3) & ~3;
  }
}

function attributesIn(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + ATTRIBUTE_HEADER <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER) break;
    found.set(bytes.readUInt16LE(at + 2), bytes.subarray(at + ATTRIBUTE_HEADER, at + length));
    at += (length + 3) & ~3;
  }
  return found;
}
