import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { PaasError } from '../model/paas-error.ts';

/**
 * What is no address of the public internet (IANA, "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address
 * Registry", RFC 6890), and where clouds keep the metadata of machines.
 */
const NOT_PUBLIC: [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];
/** The rest of IPv6 is local, or carries an IPv4 address. */
const PUBLIC_IPV6: [string, number] = ['2000::', 3];

const notPublic = blockList(NOT_PUBLIC);
const publicIpv6 = blockList([PUBLIC_IPV6]);

/** Which addresses webhooks may reach: public ones that are not this machine's, and `networks` (CIDR) whatever they are. */
export class AddressPolicy {
  #allowed: BlockList;

  /** Throws `invalid` for what is no CIDR. */
  constructor(networks: string[]) {
    this.#allowed = blockList(networks.map(parseNetwork));
  }

  allows(address: string): boolean {
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (isIP(address) === 0) return false;
    if (this.#allowed.check(address, family)) return true;
    return isPublic(address, family) && !isOurs(address);
  }
}

function isPublic(address: string, family: 'ipv4' | 'ipv6'): boolean {
  if (notPublic.check(address, family)) return false;
  return family === 'ipv4' || publicIpv6.check(address, family);
}

function isOurs(address: string): boolean {
  return Object.values(networkInterfaces()).some((own) => own?.some((one) => one.address === address));
}

function parseNetwork(text: string): [string, number] {
  const match = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(text);
  const family = isIP(match?.[1] ?? '');
  const prefix = Number(match?.[2]);
  if (!match || family === 0 || prefix > (family === 6 ? 128 : 32))
    throw new PaasError('invalid', `"${text}" is no network: it should look like 10.1.0.0/16.`);
  return [match[1]!, prefix];
}

function blockList(networks: [string, number][]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of networks)
    list.addSubnet(address, prefix, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return list;
}
