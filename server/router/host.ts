import { Refusal } from './refusal.ts';

/** Checks a Host field's value; returns the host alone in lower case, without a trailing dot. Throws Refusal. */
export function parseHost(value: string): string {
  if (isPlain(value)) return value;
  const match = HOST.exec(value);
  if (!match || value.length > MAX_LENGTH || value.includes('..') || Number(match[2] ?? 0) > 65535) {
    throw new Refusal(400, 'malformed Host');
  }
  const host = match[1]!.toLowerCase();
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

/** In the form that routes have already: the usual case, without a regular expression's cost. */
function isPlain(value: string): boolean {
  let before = DOT;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    const isWord = (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39) || code === UNDERSCORE;
    const isBetween = (code === DOT && before !== DOT) || (code === HYPHEN && i > 0);
    if (!isWord && !isBetween) return false;
    before = code;
  }
  return before !== DOT && before !== HYPHEN && value.length <= MAX_LENGTH;
}

const MAX_LENGTH = 255;
const DOT = 0x2e;
const HYPHEN = 0x2d;
const UNDERSCORE = 0x5f;
const HOST = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?)(?::(\d{0,5}))?$/i;
