import { Refusal } from './refusal.ts';

/** Names and values in turn, as Node has the fields of HTTP/2. */
export type RawFields = string[];

/**
 * A request's fields as the head of HTTP/1.1 that says the same, for one reader to check both (RFC 9113, 8.3.1). `hasBody`: more than
 * the fields comes. Throws Refusal for what would change its meaning on the way.
 */
export function requestHeadText(fields: RawFields, { hasBody }: { hasBody: boolean }): string {
  const pseudo = new Map<string, string>();
  const cookies: string[] = [];
  let host: string | undefined;
  let hasLength = false;
  let lines = '';
  for (let i = 0; i < fields.length; i += 2) {
    const [name, value] = [fields[i]!, fields[i + 1]!];
    if (OF_CONNECTIONS.has(name) || UNSAFE.test(value)) throw new Refusal(400, 'malformed field');
    if (name.startsWith(':')) pseudo.set(name, value);
    else if (name === 'cookie') cookies.push(value);
    else if (name === 'host') host = onlyOne(host, value);
    else lines += `${name}: ${value}\r\n`;
    if (name === 'content-length') hasLength = true;
  }
  if (cookies.length > 0) lines += `cookie: ${cookies.join('; ')}\r\n`;
  if (hasBody && !hasLength) lines += 'Transfer-Encoding: chunked\r\n';
  const method = pseudo.get(':method');
  const path = method === 'CONNECT' ? '*' : (pseudo.get(':path') ?? '');
  // Another form would be taken for one with a host of its own.
  if (!path.startsWith('/') && path !== '*') throw new Refusal(400, 'malformed :path');
  const authority = onlyOne(host, pseudo.get(':authority'));
  return `${method} ${path} HTTP/1.1\r\nHost: ${authority ?? ''}\r\n${lines}\r\n`;
}

/** A chunked body's last chunk and its trailers. Throws Refusal. */
export function lastChunk(trailers: RawFields): string {
  let lines = '';
  for (let i = 0; i < trailers.length; i += 2) {
    const [name, value] = [trailers[i]!, trailers[i + 1]!];
    if (name.startsWith(':') || UNSAFE.test(value)) throw new Refusal(400, 'malformed trailer');
    lines += `${name}: ${value}\r\n`;
  }
  return `0\r\n${lines}\r\n`;
}

/** The fields of a response whose lines these are, each with its CRLF, behind the status line if `status` is given. */
export function responseFields(text: string, status?: number): RawFields {
  const fields: RawFields = status === undefined ? [] : [':status', String(status)];
  const seen = new Set<string>();
  for (let at = status === undefined ? 0 : nextLine(text, 0); at < text.length; ) {
    const end = text.indexOf('\r\n', at);
    const colon = text.indexOf(':', at);
    const name = text.slice(at, colon).toLowerCase();
    const isSingle = SINGLE.has(name);
    // A 205 has no body, which Node sees to: a client would miss what its length says.
    const isLie = status === 205 && name === 'content-length';
    if (!OF_CONNECTIONS.has(name) && !isLie && !(isSingle && seen.has(name))) {
      fields.push(name, text.slice(colon + 1, end).trim());
    }
    if (isSingle) seen.add(name);
    at = end + 2;
  }
  return fields;
}

/** The same by name, which Node wants for all but a response's own fields. */
export function headersOf(fields: RawFields): Record<string, string[]> {
  const headers: Record<string, string[]> = Object.create(null);
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    headers[name] = [...(headers[name] ?? []), fields[i + 1]!];
  }
  return headers;
}

function onlyOne(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  if (one.toLowerCase() !== other.toLowerCase()) throw new Refusal(400, 'two authorities');
  return one;
}

function nextLine(text: string, at: number): number {
  return text.indexOf('\r\n', at) + 2;
}

/** What could end a line, or a string. */
const UNSAFE = /[\r\n\0]/;

/** RFC 9113, 8.2.2. */
const OF_CONNECTIONS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** What Node refuses to send twice; of several the first counts. */
const SINGLE = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
]);
