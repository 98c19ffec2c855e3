import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { frontDoor } from './front-door.ts';

/**
 * Refuses a change that another site's page asked for. Browsers send `Sec-Fetch-Site` where they trust the address
 * (https, localhost) and `Origin` with every POST; a request with neither comes from no browser that we serve.
 * Throws `forbidden`.
 */
export function requireSameOrigin(req: IncomingMessage): void {
  const site = req.headers['sec-fetch-site'];
  const allowed = site === undefined ? isOwnOrigin(req) : site === 'same-origin';
  if (!allowed) {
    throw new PaasError(
      'forbidden',
      'This change was not asked for by a page of this dashboard, so it was not made. Open the page again and repeat it there.',
    );
  }
}

/** The second line of defence: the form carries the session's own value. Throws `forbidden`. */
export function requireFormToken(given: string | null, expected: string): void {
  const a = Buffer.from(given ?? '');
  const b = Buffer.from(expected);
  if (a.length !== b.length || !timingSafeEqual(a, b)) {
    throw new PaasError(
      'forbidden',
      'This page belongs to an older sign-in, so nothing was changed. Load it again and repeat the change.',
    );
  }
}

function isOwnOrigin(req: IncomingMessage): boolean {
  const origin = req.headers.origin;
  if (!origin || !URL.canParse(origin)) return false;
  const door = frontDoor(req);
  const own = `${door.protocol}://${door.host}`;
  return URL.canParse(own) && new URL(origin).origin === new URL(own).origin;
}
