import { createHash } from 'node:crypto';
import type { App } from './app.ts';

/** A new release that some of an app's visitors get. */
export interface Canary {
  /** Its number, e.g. `12`. */
  release: string;
  /** Of a hundred visitors. */
  share: number;
  app: App;
  cookie: CanaryCookie;
}

/** The cookie by which a visitor stays with a release. Each app has its own, as several may share a host. */
export class CanaryCookie {
  readonly #name: string;
  readonly #pattern: RegExp;

  constructor(app: string) {
    this.#name = `paas-canary-${createHash('sha256').update(app).digest('hex').slice(0, 8)}`;
    this.#pattern = new RegExp(
      `\\r\\ncookie:(?:[^\\r\\n]*?[ ;])?${this.#name}=(-?\\d{1,9})(?![^;\\r\\n ])`,
      'i',
    );
  }

  /** Its value in a request's head; undefined: none. */
  read(head: string): string | undefined {
    return this.#pattern.exec(head)?.[1];
  }

  lineFor(value: string): string {
    return `Set-Cookie: ${this.#name}=${value}; Path=/; Max-Age=${MAX_AGE}; HttpOnly; SameSite=Lax\r\n`;
  }
}

/** Where a visitor goes, and the field line that makes him come back there; '' where he has it already. */
export interface Side {
  app: App;
  setCookie: string;
}

/**
 * The same visitor always gets the same release, by a cookie: `12` for the canary v12, `-12` for the release beside it. Who has none, or
 * one of an earlier canary, is chosen by chance. `head`: of the request, as passed on.
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

/** Seconds. */
const MAX_AGE = 7 * 24 * 3600;
