import type { Entrance } from './client.ts';
import type { RequestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';

/** What Via calls the router. */
export const VIA = 'paas';

/** What the router adds to a request. */
export interface Forwarding {
  /** From forwardedFields(). */
  forwarded: string;
  requestId: string;
  /** Milliseconds since the epoch at which the head was complete. */
  start: string;
}

/** The list of addresses for X-Forwarded-For. */
export function forwardedForOf(head: RequestHead, peer: string): string {
  return head.forwardedFor ? `${head.forwardedFor}, ${peer}` : peer;
}

/** The fields that say which way a request came. */
export function forwardedFields(way: { forwardedFor: string; via: string }, here: Entrance): string {
  return (
    `X-Forwarded-For: ${way.forwardedFor}\r\n` +
    `X-Forwarded-Proto: ${here.scheme}\r\n` +
    `X-Forwarded-Port: ${here.port}\r\n` +
    `Via: ${way.via}\r\n`
  );
}

/** The head that the dyno gets. */
export function formatRequestHead(head: RequestHead, { forwarded, requestId, start }: Forwarding): string {
  const end = head.upgrade ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n' : '\r\n';
  return `${head.text}${forwarded}X-Request-Id: ${requestId}\r\nX-Request-Start: ${start}\r\n${end}`;
}

/** The head that the client gets, up to its empty line. */
export function formatResponseHead(
  head: ResponseHead,
  options: { date: string; chunked: boolean; connection: 'close' | 'keep-alive' | 'upgrade' | undefined },
): string {
  const { hasDate, status } = head;
  const { chunked, connection } = options;
  let { text } = head;
  if (!hasDate && status >= 200) text += `Date: ${options.date}\r\n`;
  if (chunked) text += 'Transfer-Encoding: chunked\r\n';
  if (connection !== undefined) text += CONNECTION[connection];
  return text;
}

const CONNECTION = {
  close: 'Connection: close\r\n',
  'keep-alive': 'Connection: keep-alive\r\n',
  upgrade: 'Connection: Upgrade\r\nUpgrade: websocket\r\n',
};
