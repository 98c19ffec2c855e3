import {
  attribute,
  attribute8,
  attribute32,
  attributeText,
  CHANGE,
  interfaceInfo,
  MAKE,
  NetlinkBatch,
  RTM,
} from './netlink-batch.ts';
import type { Subnet } from './subnet.ts';

/**
 * The network of one container: a veth pair, routed, no bridge.
 *
 *   host  `name`  169.254.1.1 ◄─────────► eth0  `address`/32  container
 *   route address/32 dev name             default via 169.254.1.1
 */
export interface ContainerNetwork {
  /** Of the host's end: tells instance and address apart. */
  name: string;
  /** Of the host's end; chosen by us so that one batch can make and configure it. */
  index: number;
  address: string;
}

/** What every container sees as its router; link-local, so it can be the same everywhere (RFC 3927). */
export const GATEWAY = '169.254.1.1';

/**
 * Sent in the host's network namespace: both ends of the pair, and the way to the container. `namespace`: number of the
 * descriptor of the container's network namespace in the sending process.
 */
export function hostRequests(network: ContainerNetwork, namespace: number): NetlinkBatch {
  const { index, address } = network;
  return new NetlinkBatch()
    .add(newPair(network, namespace))
    .add(withoutIpv6(index))
    .add(linkUp(index, { off: IFF_MULTICAST }))
    .add(newAddress(index, GATEWAY))
    .add(newRoute(index, { to: address, source: GATEWAY, quickAck: true }))
    .add(newNeighbour(index, { address, mac: containerMac(address) }));
}

/** Sent in the container's network namespace: loopback, its address, and the way out. */
export function containerRequests(network: ContainerNetwork): NetlinkBatch {
  return new NetlinkBatch()
    .add(linkUp(LOOPBACK))
    .add(withoutIpv6(CONTAINER_INDEX))
    .add(linkUp(CONTAINER_INDEX, { on: IFF_NOARP }))
    .add(newAddress(CONTAINER_INDEX, network.address))
    .add(newRoute(CONTAINER_INDEX, { to: GATEWAY }))
    .add(newNeighbour(CONTAINER_INDEX, { address: GATEWAY, mac: GATEWAY_MAC }))
    .add(newRoute(CONTAINER_INDEX, { via: GATEWAY }));
}

/** Sent in the network namespace of a container without network: loopback alone. */
export function loopbackRequests(): NetlinkBatch {
  return new NetlinkBatch().add(linkUp(LOOPBACK));
}

/** Sent in the host's network namespace: these interfaces become members of a group. */
export function groupRequests(names: string[], group: number): NetlinkBatch {
  const batch = new NetlinkBatch();
  for (const name of names) {
    batch.add({
      type: RTM.NEWLINK,
      flags: CHANGE,
      fixed: interfaceInfo(0),
      attributes: [attributeText(IFLA.IFNAME, name), attribute32(IFLA.GROUP, group)],
    });
  }
  return batch;
}

/**
 * Sent in the host's network namespace: every interface of the group vanishes, with its other end. Together, since the kernel
 * waits some 10 ms for each removal (RCU), however many interfaces it takes.
 */
export function groupRemovalRequests(group: number): NetlinkBatch {
  return new NetlinkBatch().add({
    type: RTM.DELLINK,
    flags: CHANGE,
    fixed: interfaceInfo(0),
    attributes: [attribute32(IFLA.GROUP, group)],
  });
}

/**
 * Sent in the host's network namespace, once: an address that no container has (any more) fails at once instead of
 * leaving by the default route. Containers' own routes are more specific. Several instances may share it.
 */
export function subnetRequests(subnet: Subnet): NetlinkBatch {
  const fixed = routeMessage({ bits: subnet.bits, scope: RT.SCOPE_UNIVERSE, type: RT.UNREACHABLE });
  const attributes = [attribute(RTA.DST, addressBytes(subnet.address(0)))];
  return new NetlinkBatch().add({ type: RTM.NEWROUTE, flags: MAKE, fixed, attributes });
}

/** Takes back `subnetRequests`. */
export function subnetRemovalRequests(subnet: Subnet): NetlinkBatch {
  const fixed = routeMessage({ bits: subnet.bits, scope: RT.SCOPE_NOWHERE, type: RT.UNREACHABLE });
  const attributes = [attribute(RTA.DST, addressBytes(subnet.address(0)))];
  return new NetlinkBatch().add({ type: RTM.DELROUTE, flags: CHANGE, fixed, attributes });
}

const LOOPBACK = 1;
/** Not the next one: where the host has a module for tunnels (ipip, sit, gre …), each network namespace begins with interfaces of those. */
const CONTAINER_INDEX = 100;
const GATEWAY_MAC = Buffer.from([0xee, 0xee, 0xee, 0xee, 0xee, 0xee]);

const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  LINKINFO: 18,
  AF_SPEC: 26,
  GROUP: 27,
  NET_NS_FD: 28,
  NUM_TX_QUEUES: 31,
  NUM_RX_QUEUES: 32,
};
const IFLA_INFO = { KIND: 1, DATA: 2 };
const VETH_INFO_PEER = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFF_UP = 1;
/** Services of the host that ask all neighbours (systemd-resolved, avahi) do so on every interface that has it: apps would see what they look for. */
const IFF_MULTICAST = 0x1000;
/** Its one neighbour is known: a container that sends to others as if they were near (MSG_DONTROUTE) would fill the table of all of the machine's. */
const IFF_NOARP = 0x80;
const AF_INET = 2;
const AF_INET6 = 10;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PREFSRC: 7, METRICS: 8 };
const RTAX_QUICKACK = 15;
const NDA = { DST: 1, LLADDR: 2 };
const NUD_PERMANENT = 0x80;
const RT = {
  TABLE_MAIN: 254,
  PROTOCOL_BOOT: 3,
  SCOPE_UNIVERSE: 0,
  SCOPE_LINK: 253,
  SCOPE_NOWHERE: 255,
  UNICAST: 1,
  UNREACHABLE: 7,
};

type Request = Parameters<NetlinkBatch['add']>[0];

/** One queue each way: a veth with one per core costs memory and time at launch. */
function newPair({ name, index, address }: ContainerNetwork, namespace: number): Request {
  const oneQueue = [attribute32(IFLA.NUM_TX_QUEUES, 1), attribute32(IFLA.NUM_RX_QUEUES, 1)];
  const peer = attribute(
    VETH_INFO_PEER,
    interfaceInfo(CONTAINER_INDEX),
    attributeText(IFLA.IFNAME, 'eth0'),
    attribute(IFLA.ADDRESS, containerMac(address)),
    attribute32(IFLA.NET_NS_FD, namespace),
    ...oneQueue,
  );
  return {
    type: RTM.NEWLINK,
    flags: MAKE,
    fixed: interfaceInfo(index),
    attributes: [
      attributeText(IFLA.IFNAME, name),
      attribute(IFLA.ADDRESS, GATEWAY_MAC),
      ...oneQueue,
      attribute(IFLA.LINKINFO, attributeText(IFLA_INFO.KIND, 'veth'), attribute(IFLA_INFO.DATA, peer)),
    ],
  };
}

/** No IPv6 link-local address: before the link is up, since that is when the kernel makes one. */
function withoutIpv6(index: number): Request {
  const none = attribute8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  return {
    type: RTM.NEWLINK,
    flags: CHANGE,
    fixed: interfaceInfo(index),
    attributes: [attribute(IFLA.AF_SPEC, attribute(AF_INET6, none))],
  };
}

/** `off`: flags that it has no more. */
function linkUp(index: number, { on = 0, off = 0 } = {}): Request {
  const fixed = interfaceInfo(index, IFF_UP | on, IFF_UP | on | off);
  return { type: RTM.NEWLINK, flags: CHANGE, fixed };
}

/** `struct ifaddrmsg`. */
function newAddress(index: number, address: string): Request {
  const fixed = Buffer.from([
    AF_INET,
    32,
    0,
    address === GATEWAY ? RT.SCOPE_LINK : RT.SCOPE_UNIVERSE,
    0,
    0,
    0,
    0,
  ]);
  fixed.writeUInt32LE(index, 4);
  const bytes = addressBytes(address);
  return { type: RTM.NEWADDR, flags: MAKE, fixed, attributes: [attribute(2, bytes), attribute(1, bytes)] };
}

interface LinkRoute {
  to: string;
  source?: string;
  /**
   * What comes is acknowledged at once: an app that writes an answer in two pieces without TCP_NODELAY would wait 40 ms with the second, on
   * every connection that the router keeps (RFC 1122, 4.2.3.2 and 4.2.3.4).
   */
  quickAck?: boolean;
}

/** To one address on the link, or to everywhere via a gateway. */
function newRoute(index: number, route: LinkRoute | { via: string }): Request {
  const toLink = 'to' in route;
  const fixed = routeMessage({
    bits: toLink ? 32 : 0,
    scope: toLink ? RT.SCOPE_LINK : RT.SCOPE_UNIVERSE,
    type: RT.UNICAST,
  });
  const attributes = [attribute32(RTA.OIF, index)];
  if (!toLink) attributes.push(attribute(RTA.GATEWAY, addressBytes(route.via)));
  else attributes.push(attribute(RTA.DST, addressBytes(route.to)));
  if (toLink && route.source) attributes.push(attribute(RTA.PREFSRC, addressBytes(route.source)));
  if (toLink && route.quickAck) attributes.push(attribute(RTA.METRICS, attribute32(RTAX_QUICKACK, 1)));
  return { type: RTM.NEWROUTE, flags: MAKE, fixed, attributes };
}

/** `struct rtmsg`, in the main table. */
function routeMessage({ bits, scope, type }: { bits: number; scope: number; type: number }): Buffer {
  return Buffer.from([AF_INET, bits, 0, 0, RT.TABLE_MAIN, RT.PROTOCOL_BOOT, scope, type, 0, 0, 0, 0]);
}

/** `struct ndmsg`: known for good, so no ARP delays the first packet. */
function newNeighbour(index: number, neighbour: { address: string; mac: Buffer }): Request {
  const fixed = Buffer.alloc(12);
  fixed.writeUInt8(AF_INET, 0);
  fixed.writeInt32LE(index, 4);
  fixed.writeUInt16LE(NUD_PERMANENT, 8);
  return {
    type: RTM.NEWNEIGH,
    flags: MAKE,
    fixed,
    attributes: [attribute(NDA.DST, addressBytes(neighbour.address)), attribute(NDA.LLADDR, neighbour.mac)],
  };
}

/** Locally administered, from the address. */
function containerMac(address: string): Buffer {
  return Buffer.from([0x02, 0x00, ...addressBytes(address)]);
}

function addressBytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}
