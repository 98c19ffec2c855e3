import { type Operation, planFileWrite } from '../init/operation-list.ts';
import { AF, CLONE, NETLINK_ROUTE, OPEN, SOCK } from '../syscall/constants.ts';
import {
  type ContainerNetwork,
  containerRequests,
  groupRemovalRequests,
  groupRequests,
  hostRequests,
  loopbackRequests,
  subnetRemovalRequests,
  subnetRequests,
} from './container-network.ts';
import type { NetlinkBatch } from './netlink-batch.ts';
import type { Subnet } from './subnet.ts';

export type { ContainerNetwork };

/**
 * A container's first process leaves the host's network, for one with an address or with loopback alone; in the host's mount namespace. It
 * talks to the host's side through a socket that it opened before it left.
 */
export function planOwnNetwork(network: ContainerNetwork | undefined): Operation[] {
  if (!network)
    return [leave(), ...openSocket('inside'), ...send('inside', loopbackRequests()), ...close('inside')];
  return [
    ...openSocket('outside'),
    leave(),
    ...openNamespace(NAMESPACE),
    ...send('outside', hostRequests(network, NAMESPACE)),
    { call: 'close', args: [NAMESPACE], purpose: 'close the network namespace' },
    ...close('outside'),
    ...openSocket('inside'),
    ...send('inside', containerRequests(network)),
    ...close('inside'),
  ];
}

/** The number of the descriptor of its network namespace: it stands in a request. */
const NAMESPACE = 200;

function leave(): Operation {
  return { call: 'unshare', args: [CLONE.NEWNET], purpose: 'make a network namespace' };
}

function openSocket(name: string): Operation[] {
  return [
    {
      call: 'socket',
      args: [AF.NETLINK, SOCK.RAW | SOCK.CLOEXEC, NETLINK_ROUTE],
      purpose: 'open a netlink socket',
      result: name,
    },
  ];
}

function openNamespace(descriptor: number): Operation[] {
  const purpose = 'open the network namespace';
  return [
    {
      call: 'openat',
      args: [-100, '/proc/thread-self/ns/net', OPEN.RDONLY | OPEN.CLOEXEC],
      purpose,
      result: 'namespace',
    },
    { call: 'dup3', args: [{ result: 'namespace' }, descriptor, OPEN.CLOEXEC], purpose },
    { call: 'close', args: [{ result: 'namespace' }], purpose },
  ];
}

function send(socket: string, batch: NetlinkBatch): Operation[] {
  const { bytes, count } = batch;
  return [
    {
      call: 'netlink',
      args: [{ result: socket }, bytes, bytes.length, count],
      purpose: `set up the network ${socket} the container`,
    },
  ];
}

function close(result: string): Operation[] {
  return [{ call: 'close', args: [{ result }], purpose: `close the socket ${result}` }];
}

/**
 * As Docker: any user may listen on low ports and ping (moby, daemon/oci_linux.go). In a /proc of the container's own, at `proc`: in one that many have been in, the kernel looks
 * for a network namespace's files among those of all others.
 */
export function planNetworkSettings(proc: string): Operation[] {
  const setting = (name: string, value: string): Operation =>
    planFileWrite(`${proc}/sys/net/ipv4/${name}`, value, { purpose: `set net.ipv4.${name}` });
  return [setting('ip_unprivileged_port_start', '0'), setting('ping_group_range', '0 2147483647')];
}

/**
 * Takes veth pairs away by the names of their host's ends, in a process in the host's network namespace; they may be gone already. At most
 * some 60: the kernel drops answers that do not fit into the socket's buffer.
 * `group`: a number that no interface of anybody else's has (never 0, which is everybody's).
 */
export function planNetworkRemoval(names: string[], group: number): Operation[] {
  const purpose = 'remove network interfaces';
  return [
    ...sendOnHost(groupRequests(names, group), purpose, 'ENODEV'),
    ...sendOnHost(groupRemovalRequests(group), purpose, 'ENODEV'),
  ];
}

/** Makes addresses without a container unreachable, in a process in the host's network namespace. */
export function planSubnet(subnet: Subnet): Operation[] {
  return sendOnHost(subnetRequests(subnet), `add a route for ${subnet.cidr}`, 'EEXIST');
}

/** Takes back `planSubnet`. */
export function planSubnetRemoval(subnet: Subnet): Operation[] {
  return sendOnHost(subnetRemovalRequests(subnet), `remove the route for ${subnet.cidr}`, 'ESRCH');
}

function sendOnHost({ bytes, count }: NetlinkBatch, purpose: string, tolerate: string): Operation[] {
  return [
    ...openSocket('outside'),
    { call: 'netlink', args: [{ result: 'outside' }, bytes, bytes.length, count], purpose, tolerate },
  ];
}
