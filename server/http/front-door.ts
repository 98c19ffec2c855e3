import type { IncomingMessage } from 'node:http';

/** How the visitor reached us, e.g. `{ protocol: 'https', host: 'paas.example.com:8443' }`. */
export interface FrontDoor {
  protocol: 'http' | 'https';
  /** As in the Host header, with the port if it is not the protocol's own. */
  host: string;
}

/**
 * Reads where the request came in. `X-Forwarded-Proto` counts on a unix socket only, because nobody but our own
 * router can connect to that one; on a TCP connection any visitor could have written it.
 */
export function frontDoor(req: IncomingMessage): FrontDoor {
  const forwarded = fromRouter(req) ? req.headers['x-forwarded-proto'] : undefined;
  const protocol = forwarded === 'https' ? 'https' : 'http';
  return { protocol, host: (req.headers.host ?? 'localhost').toLowerCase() };
}

function fromRouter(req: IncomingMessage): boolean {
  return req.socket.remoteAddress === undefined;
}
