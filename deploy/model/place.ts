import { domainToUnicode } from 'node:url';
import { quote } from './app-name.ts';
import { parseHostname } from './hostname.ts';
import { PaasError } from './paas-error.ts';

/** What leads to an app: a host name, all names below one, or a part of either. */
export interface Place {
  /** As the router compares it; `*.example.com`: every name below. */
  hostname: string;
  /** e.g. `/api`; '': all of it. */
  path: string;
}

/** Reads `www.example.com`, `*.example.com` or `example.com/api`, in whatever case, also in Unicode. Throws `invalid`. */
export function parsePlace(text: string): Place {
  const bare = text.trim();
  if (/^[a-z]+:\/\//i.test(bare)) {
    throw new PaasError('invalid', `${quote(text)} is a URL: give the host name alone, without "http://".`);
  }
  const slash = bare.indexOf('/');
  const name = slash < 0 ? bare : bare.slice(0, slash);
  const path = slash < 0 ? '' : bare.slice(slash).replace(/\/$/, '');
  if (path !== '' && !isPath(path)) {
    throw new PaasError(
      'invalid',
      `${quote(path)} is no path of a domain: it should look like /api or /api/v2, of letters, digits and .-_~ alone.`,
    );
  }
  const isWildcard = name.startsWith('*.');
  const hostname = parseHostname(isWildcard ? name.slice(2) : name);
  return { hostname: isWildcard ? `*.${hostname}` : hostname, path };
}

/** `example.com/api` */
export function placeText({ hostname, path }: Place): string {
  return hostname + path;
}

/** As a person would write it; undefined where that is the same. */
export function unicodeOf(hostname: string): string | undefined {
  const isWildcard = hostname.startsWith('*.');
  const unicode = domainToUnicode(isWildcard ? hostname.slice(2) : hostname);
  const text = isWildcard ? `*.${unicode}` : unicode;
  return unicode === '' || text === hostname ? undefined : text;
}

/** No dot segments, which a server may follow (RFC 3986, 5.2.4). */
function isPath(path: string): boolean {
  const parts = path.split('/').slice(1);
  return (
    path.length <= 200 && parts.every((part) => /^[A-Za-z0-9._~-]+$/.test(part) && !/^\.\.?$/.test(part))
  );
}
