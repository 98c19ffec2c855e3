import { AppCookie } from './app-cookie.ts';

/** Has a visitor stay with the dyno that answered first: the dyno's name. */
export function stickyCookie(app: string): AppCookie {
  return new AppCookie(app, { use: 'dyno', value: '[a-z0-9.-]{1,80}' });
}
