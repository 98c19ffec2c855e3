import { randomUUID } from 'node:crypto';
import type { RequestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';

/** What the router adds to a request. */
export interface Forwarding {
  /** The client's own list and, at its end, the address that the connection came from. */
  forwardedFor: string;
  requestId: string;
  /** Milliseconds since the epoch at which the head was complete. */
  start: number;
  scheme: 'http' | 'https';
  /** That the client connected to. */
  port: number;
}

/** Keeps a well-formed request id of the client's, makes one otherwise. */
export function requestIdOf(head: RequestHead): string {
  return head.requestId || randomUUID();
}

/** The list of addresses for X-Forwarded-For. */
export function forwardedForOf(head: RequestHead, peer: string): string {
  return head.forwardedFor ? `${head.forwardedFor}, ${peer}` : peer;
}

/** The head that the dyno gets. */
export function formatRequestHead(head: RequestHead, forwarding: Forwarding): string {
  return (
    `${head.method} ${head.target} HTTP/1.1\r\n${head.fields}` +
    `X-Forwarded-For: ${forwarding.forwardedFor}\r\n` +
    `X-Forwarded-Proto: ${forwarding.scheme}\r\n` +
    `X-Forwarded-Port: ${forwarding.port}\r\n` +
    `X-Request-Id: ${forwarding.requestId}\r\n` +
    `X-Request-Start: ${forwarding.start}\r\n` +
    `Via: ${head.via ? `${head.via}, ` : ''}1.${head.minor} paas\r\n` +
    (head.upgrade ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n' : '\r\n')
  );
}

/** The head that the client gets. */
export function formatResponseHead(
  head: ResponseHead,
  options: { date: string; chunked: boolean; connection: 'close' | 'keep-alive' | 'upgrade' | undefined },
): string {
  return (
    `HTTP/1.1 ${head.statusText}\r\n${head.fields}` +
    (head.hasDate || head.status < 200 ? '' : `Date: ${options.date}\r\n`) +
    (options.chunked ? 'Transfer-Encoding: chunked\r\n' : '') +
    (options.connection === undefined ? '' : CONNECTION[options.connection]) +
    '\r\n'
  );
}

const CONNECTION = {
  close: 'Connection: close\r\n',
  'keep-alive': 'Connection: keep-alive\r\n',
  upgrade: 'Connection: Upgrade\r\nUpgrade: websocket\r\n',
};
