import type { IncomingMessage } from 'node:http';
import { type FrontDoor, frontDoor } from './front-door.ts';

const FOURTEEN_DAYS = 14 * 86_400;
const MOST_COOKIES = 4;

/**
 * The cookie's name. The `__Host-` prefix (RFC 6265bis, 4.1.3.2) keeps apps at `<app>.<domain>` from planting a
 * session of their own, but needs `Secure`, which a browser refuses over plain HTTP.
 */
export function sessionCookieName(door: FrontDoor): string {
  return door.protocol === 'https' ? '__Host-paas_session' : 'paas_session';
}

/** The session ids that the visitor's cookies carry: more than one where an app at `<app>.<domain>` planted another. */
export function readSessionIds(req: IncomingMessage): string[] {
  const name = sessionCookieName(frontDoor(req));
  return (req.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
    .filter((value) => /^[\w-]{16,256}$/.test(value))
    .slice(0, MOST_COOKIES);
}

/** A `Set-Cookie` that keeps the session over restarts of the browser; when it ends, the server decides. */
export function sessionCookie(door: FrontDoor, id: string): string {
  return `${sessionCookieName(door)}=${id}; Max-Age=${FOURTEEN_DAYS}; ${attributes(door)}`;
}

/** A `Set-Cookie` that removes it. */
export function expiredSessionCookie(door: FrontDoor): string {
  return `${sessionCookieName(door)}=; Max-Age=0; ${attributes(door)}`;
}

function attributes(door: FrontDoor): string {
  const secure = door.protocol === 'https' ? '; Secure' : '';
  return `Path=/; HttpOnly; SameSite=Lax${secure}`;
}
