/** A request as the reference reads it. */
export interface ReadRequest {
  method: string;
  target: string;
  host: string;
  body: string;
}

/** What a stream of bytes (one character each) says: whole requests, and how it goes on after them. */
export interface Reading {
  requests: ReadRequest[];
  rest: 'nothing' | 'incomplete' | 'malformed';
}

/**
 * Reads requests by the letter of RFC 9112 and 9110, in the plainest way there is: by regular expressions over the whole text. It
 * shares nothing with the router; where they disagree, one of them is wrong.
 */
export function readRequests(text: string): Reading {
  const requests: ReadRequest[] = [];
  let rest = text;
  while (rest !== '') {
    rest = rest.replace(/^\r\n/, '');
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0)
      return { requests, rest: rest === '' ? 'nothing' : canBeHead(rest) ? 'incomplete' : 'malformed' };
    const head = readHead(rest.slice(0, end + 2));
    if (!head) return { requests, rest: 'malformed' };
    const body = readBody(rest.slice(end + 4), head.framing);
    if (typeof body === 'string') return { requests, rest: body };
    const { method, target, host, last } = head;
    requests.push({ method, target, host, body: body.body });
    rest = rest.slice(end + 4 + body.length);
    if (last) return { requests, rest: 'nothing' };
  }
  return { requests, rest: 'nothing' };
}

type Framing = number | 'chunked';

/** `head`: with the CRLF of its last line. */
function readHead(
  head: string,
): { method: string; target: string; host: string; framing: Framing; last: boolean } | undefined {
  const [, method, target, minor] = REQUEST_LINE.exec(head) ?? [];
  if (!method || !target || !minor || method.length > 32 || method === 'CONNECT') return undefined;
  const fields = readFields(head.slice(head.indexOf('\r\n') + 2));
  if (!fields) return undefined;
  const valuesOf = (name: string) => fields.filter((field) => field.name === name).map(({ value }) => value);
  const place = readTarget(target, method, valuesOf('host'));
  const framing = readFraming(valuesOf('content-length'), valuesOf('transfer-encoding'), minor);
  const options = valuesOf('connection')
    .join(',')
    .toLowerCase()
    .split(',')
    .map((token) => token.replace(/^[ \t]+|[ \t]+$/g, ''));
  if (!place || framing === undefined) return undefined;
  if (!options.every((token) => /^[!#$%&'*+.^_`|~0-9a-z-]*$/.test(token))) return undefined;
  if (options.some((token) => ['host', 'content-length', 'transfer-encoding'].includes(token)))
    return undefined;
  if (minor === '1' && valuesOf('expect').some((value) => value.toLowerCase() !== '100-continue'))
    return undefined;
  const last = options.includes('close') || (minor === '0' && !options.includes('keep-alive'));
  return { method, ...place, framing, last };
}

function readFields(text: string): { name: string; value: string }[] | undefined {
  const lines = text.split('\r\n').slice(0, -1);
  const fields = lines.map((line) => FIELD.exec(line));
  if (fields.length > 256 || fields.includes(null)) return undefined;
  return fields.map((match) => ({ name: match![1]!.toLowerCase(), value: match![2]! }));
}

function readTarget(
  target: string,
  method: string,
  hosts: string[],
): { target: string; host: string } | undefined {
  if (hosts.length !== 1) return undefined;
  const host = readHost(hosts[0]!);
  if (host === undefined) return undefined;
  if (target.startsWith('/')) return { target, host };
  if (target === '*') return method === 'OPTIONS' ? { target, host } : undefined;
  const [, authority, path] = /^http:\/\/([^/?]*)(.*)$/i.exec(target) ?? [];
  const named = authority === undefined ? undefined : readHost(authority);
  if (named === undefined) return undefined;
  if (path === '') return { target: method === 'OPTIONS' ? '*' : '/', host: named };
  return { target: path!.startsWith('/') ? path! : `/${path}`, host: named };
}

function readHost(value: string): string | undefined {
  const match = /^([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]{2,45}\])\.?(?::(\d{0,5}))?$/i.exec(value);
  if (!match || value.length > 255 || value.includes('..') || Number(match[2] ?? 0) > 65535) return undefined;
  if (value.startsWith('[') && match[0]!.includes('].')) return undefined;
  return match[1]!.toLowerCase();
}

function readFraming(lengths: string[], codings: string[], minor: string): Framing | undefined {
  if (lengths.length + codings.length > 1) return undefined;
  if (lengths.length === 1) return /^\d{1,15}$/.test(lengths[0]!) ? Number(lengths[0]) : undefined;
  if (codings.length === 0) return 0;
  return minor === '1' && codings[0]!.toLowerCase() === 'chunked' ? 'chunked' : undefined;
}

function readBody(
  text: string,
  framing: Framing,
): { body: string; length: number } | 'incomplete' | 'malformed' {
  if (typeof framing === 'number') {
    return text.length < framing ? 'incomplete' : { body: text.slice(0, framing), length: framing };
  }
  let body = '';
  let at = 0;
  for (;;) {
    const line = CHUNK_LINE.exec(text.slice(at));
    if (!line) return CHUNK_LINE_BEGUN.test(text.slice(at)) ? 'incomplete' : 'malformed';
    const size = Number.parseInt(line[1]!, 16);
    at += line[0].length;
    if (size === 0) break;
    const data = text.slice(at, at + size);
    const after = text.slice(at + size, at + size + 2);
    if (!'\r\n'.startsWith(after)) return 'malformed';
    if (data.length < size || after.length < 2) return 'incomplete';
    body += data;
    at += size + 2;
  }
  const trailers = /^(?:[^\r\n]+\r\n)*\r\n/.exec(text.slice(at));
  if (!trailers) return /[^\r]\n|\r[^\n]/.test(text.slice(at)) ? 'malformed' : 'incomplete';
  if (!readFields(trailers[0].slice(0, -2))) return 'malformed';
  return { body, length: at + trailers[0].length };
}

/** Only whether waiting for more makes sense at all; the router may find out sooner or later. */
function canBeHead(text: string): boolean {
  return !/[^\r]\n/.test(text);
}

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!"$-~]+) HTTP\/1\.([01])\r\n/;
const FIELD =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*$/;
const CHUNK_LINE = /^([0-9A-Fa-f]{1,13})(?:;[\t -~\x80-\xff]{0,256})?\r\n/;
const CHUNK_LINE_BEGUN = /^[0-9A-Fa-f]{0,13}(?:;[\t -~\x80-\xff]{0,256})?\r?$/;
