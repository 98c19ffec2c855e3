import { BlockList, isIP } from 'node:net';
import { quote } from './app-name.ts';
import { PaasError } from './paas-error.ts';

/** An IPv4 or IPv6 address, or a CIDR, in lower case. Throws `invalid`. */
export function parseIpRange(text: string): string {
  const range = text.trim().toLowerCase();
  const [address = '', bits, ...rest] = range.split('/');
  if (rest.length > 0 || isIP(address) === 0 || !isPrefix(address, bits)) {
    throw new PaasError(
      'invalid',
      `${quote(text)} is no address and no range of addresses: it should look like 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32.`,
    );
  }
  return range;
}

function isPrefix(address: string, bits: string | undefined): boolean {
  if (bits === undefined) return true;
  if (!/^\d{1,3}$/.test(bits)) return false;
  try {
    new BlockList().addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
    return true;
  } catch {
    return false;
  }
}
