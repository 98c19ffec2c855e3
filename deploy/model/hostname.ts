import { domainToASCII } from 'node:url';
import { quote } from './app-name.ts';
import { PaasError } from './paas-error.ts';

/** A host name as the router compares it: lower case, punycode, no trailing dot. Throws `invalid`. */
export function parseHostname(text: string): string {
  const hostname = domainToASCII(text.trim().replace(/\.$/, '')).toLowerCase();
  const labels = hostname.split('.');
  const good =
    hostname.length <= 253 &&
    labels.length >= 2 &&
    labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label)) &&
    !/^\d+$/.test(labels.at(-1)!);
  if (!good)
    throw new PaasError('invalid', `${quote(text)} is no host name: it should look like www.example.com.`);
  return hostname;
}
