import type { App } from './app.ts';
import { AppCookie } from './app-cookie.ts';

/** A new release that some of an app's visitors get. */
export interface Canary {
  /** Its number, e.g. `12`. */
  release: string;
  /** Of a hundred visitors. */
  share: number;
  app: App;
  cookie: AppCookie;
}

/** Has a visitor stay with a release: `12` for the canary v12, `-12` for the release beside it. */
export function canaryCookie(app: string): AppCookie {
  return new AppCookie(app, { use: 'canary', value: '-?\\d{1,9}', maxAge: WEEK_SECONDS });
}

/** Where a visitor goes, and the field line that makes him come back there; '' where he has it already. */
export interface Side {
  app: App;
  setCookie: string;
}

/**
 * The same visitor always gets the same release, by a cookie. Who has none, or one of an earlier canary, is chosen by chance. `head`: of
 * the request, as passed on.
 */
export function chooseSide(
  { head, app, canary }: { head: string; app: App; canary: Canary },
  chance: number = Math.random(),
): Side {
  const known = canary.cookie.read(head);
  if (known === canary.release) return { app: canary.app, setCookie: '' };
  if (known === `-${canary.release}`) return { app, setCookie: '' };
  const isCanary = chance * 100 < canary.share;
  const value = isCanary ? canary.release : `-${canary.release}`;
  return { app: isCanary ? canary.app : app, setCookie: canary.cookie.lineFor(value) };
}

const WEEK_SECONDS = 7 * 24 * 3600;
