import type { Operation } from '../init/operation-list.ts';
import { AF, CLONE, NETLINK_ROUTE, OPEN, SOCK } from '../syscall/constants.ts';
import {
  type ContainerNetwork,
  containerRequests,
  hostRequests,
  loopbackRequests,
  NAMESPACE_DESCRIPTOR,
  removalRequests,
  subnetRemovalRequests,
  subnetRequests,
} from './container-network.ts';
import type { NetlinkBatch } from './netlink-batch.ts';
import type { Subnet } from './subnet.ts';

export type { ContainerNetwork };

/**
 * A network namespace of the container's own, made by its first process: it talks to the host's side through a socket
 * that it opened before it left. In the host's mount namespace, since it needs /proc.
 */
export function planNetwork(network: ContainerNetwork | undefined): Operation[] {
  const leave: Operation = {
    call: 'unshare',
    args: [CLONE.NEWNET],
    purpose: 'make a network namespace',
  };
  if (!network)
    return [leave, ...openSocket('inside'), ...send('inside', loopbackRequests()), ...close('inside')];
  return [
    ...openSocket('outside'),
    leave,
    ...openNamespace(),
    ...send('outside', hostRequests(network)),
    ...close('outside'),
    ...openSocket('inside'),
    ...send('inside', containerRequests(network)),
    ...close('inside'),
    ...setting('ip_unprivileged_port_start', '0'),
    ...setting('ping_group_range', '0 2147483647'),
  ];
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

function openNamespace(): Operation[] {
  const purpose = 'open the network namespace';
  return [
    {
      call: 'openat',
      args: [-100, '/proc/thread-self/ns/net', OPEN.RDONLY | OPEN.CLOEXEC],
      purpose,
      result: 'namespace',
    },
    { call: 'dup3', args: [{ result: 'namespace' }, NAMESPACE_DESCRIPTOR, OPEN.CLOEXEC], purpose },
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

/** As Docker: any user may listen on low ports and ping (moby, daemon/oci_linux.go). */
function setting(name: string, value: string): Operation[] {
  const purpose = `set net.ipv4.${name}`;
  return [
    {
      call: 'openat',
      args: [-100, `/proc/sys/net/ipv4/${name}`, OPEN.WRONLY | OPEN.CLOEXEC],
      purpose,
      result: 'setting',
    },
    { call: 'write', args: [{ result: 'setting' }, value, value.length], purpose },
    { call: 'close', args: [{ result: 'setting' }], purpose },
  ];
}

/** Takes the veth pair away, in a process in the host's network namespace; it may be gone already. */
export function planNetworkRemoval(name: string): Operation[] {
  return sendOnHost(removalRequests(name), `remove the network interface "${name}"`, 'ENODEV');
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
