import { isIP } from 'node:net';

/** Top-level names that public certificate authorities sign nothing below (RFC 6761, 6762, 7686, 8375, 9476; ICANN's .internal). */
const PRIVATE =
  /(^|\.)(localhost|local|localdomain|test|invalid|example|onion|alt|internal|lan|home|corp|intranet|private|home\.arpa)$/;

/** Whether the whole internet may know a name. */
export function isPublicName(host: string): boolean {
  return host.includes('.') && isIP(host.replace(/^\[|\]$/g, '')) === 0 && !PRIVATE.test(host);
}

/** Why no certificate for a host is asked for at the authority of this directory; undefined: it may be. In words. */
export function whyNotOrdered(host: string, directory: string): string | undefined {
  if (host.startsWith('*.')) return 'one for a wildcard is yours to bring: certs:add';
  if (host.length > 253 || !/^[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(host))
    return 'certificate authorities take no such name';
  // One that is private itself may know private names.
  if (isPublicName(host) || !isPublicName(new URL(directory).hostname)) return undefined;
  return 'a name that is not public gets none: certs:add takes your own';
}
