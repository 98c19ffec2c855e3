import type { Exchange } from '../exchange.ts';
import { expiredSessionCookie, sessionCookie } from '../session-cookie.ts';

/** How to get a link; also in place of every page that needs a session. */
export async function showHowTo(exchange: Exchange, status = 200): Promise<void> {
  if (status === 200 && exchange.isSignedIn) return exchange.see('/');
  if (status === 401) exchange.res.set('HX-Refresh', 'true');
  await exchange.page('sign-in/how-to', { signedOut: status === 401 }, status);
}

/** Asks first, because link previews fetch what is pasted into a chat: looking must not use the link up. */
export async function askToSignIn(exchange: Exchange): Promise<void> {
  const token = exchange.param('token');
  const who = exchange.platform.sessions.peekLoginToken(token);
  if (!who) return showUsedUp(exchange);
  await exchange.page('sign-in/ask', { token, who: who.user });
}

export async function signIn(exchange: Exchange): Promise<void> {
  const { sessions } = exchange.platform;
  const redeemed = sessions.redeemLoginToken(exchange.param('token'));
  if (!redeemed) return showUsedUp(exchange);
  if (exchange.isSignedIn) endSession(exchange);
  exchange.res.append('Set-Cookie', sessionCookie(exchange.door, redeemed.id));
  exchange.see('/');
}

export function signOut(exchange: Exchange): void {
  endSession(exchange);
  exchange.res.append('Set-Cookie', expiredSessionCookie(exchange.door));
  exchange.see('/login');
}

function endSession(exchange: Exchange): void {
  const { id } = exchange.session;
  exchange.platform.sessions.end(id);
  exchange.parts.streams.endSession(id);
  exchange.parts.notices.forget(id);
}

async function showUsedUp(exchange: Exchange): Promise<void> {
  await exchange.page('sign-in/used-up', {}, 404);
}
