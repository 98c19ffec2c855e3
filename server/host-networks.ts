import { BlockList } from 'node:net';

/** An IPv4 network that this machine has a route to. */
export interface Route {
  /** `192.168.1.0/24`. */
  network: string;
  /** `eth0`; `*`: it leads nowhere. */
  device: string;
}

/**
 * The routes of /proc/net/route, see proc_net(5), but for default ones: what is larger than any private network is one by another name, as
 * tunnels set them.
 */
export function parseRoutes(table: string): Route[] {
  const lines = table.trim().split('\n').slice(1);
  return lines
    .map((line) => {
      const fields = line.split(/\s+/);
      return { device: fields[0]!, network: `${toAddress(fields[1]!)}/${bitsOf(fields[MASK]!)}` };
    })
    .filter(({ network }) => prefix(network) >= LARGEST);
}

/** Those that no instance of ours has set. */
export function routesOfHost(routes: Route[]): Route[] {
  return routes.filter(({ device }) => device !== NOWHERE && !OF_CONTAINERS.test(device));
}

/** Those that lead to addresses of `subnet`. */
export function overlapping(routes: Route[], subnet: string): Route[] {
  return routes.filter(({ network }) => contains(network, subnet) || contains(subnet, network));
}

const MASK = 7;
const LARGEST = 8;
/** An instance sends so what goes to addresses without a container. */
const NOWHERE = '*';
/** How instances call their ends of containers' networks. */
const OF_CONTAINERS = /^v[0-9a-f]{6}-/;

/** Whether the address that names the inner network is in the outer one. */
function contains(outer: string, inner: string): boolean {
  const block = new BlockList();
  block.addSubnet(addressOf(outer), prefix(outer));
  return block.check(addressOf(inner));
}

function addressOf(network: string): string {
  return network.split('/')[0]!;
}

function prefix(network: string): number {
  return Number(network.split('/')[1]);
}

/** The kernel prints the four bytes as a number of this machine, whose first byte is the lowest. */
function toAddress(hex: string): string {
  return Buffer.from(hex, 'hex').reverse().join('.');
}

function bitsOf(mask: string): number {
  return Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
}
