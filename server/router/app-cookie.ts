import { createHash } from 'node:crypto';

export interface AppCookieOptions {
  /** What it is for, as a part of its name. */
  use: string;
  /** The source of a regular expression of its values, without groups. */
  value: string;
  /** Seconds; undefined: as long as the browser runs. */
  maxAge?: number;
}

/** A cookie by which visitors come back to where they were. Each app has its own, as several may share a host. */
export class AppCookie {
  readonly #name: string;
  readonly #pattern: RegExp;
  readonly #attributes: string;

  constructor(app: string, { use, value, maxAge }: AppCookieOptions) {
    this.#name = `paas-${use}-${createHash('sha256').update(app).digest('hex').slice(0, 8)}`;
    this.#pattern = new RegExp(
      `\\r\\ncookie:(?:[^\\r\\n]*?[ ;])?${this.#name}=(${value})(?![^;\\r\\n ])`,
      'i',
    );
    this.#attributes = `Path=/; ${maxAge === undefined ? '' : `Max-Age=${maxAge}; `}HttpOnly; SameSite=Lax`;
  }

  /** Its value in a request's head; undefined: none. */
  read(head: string): string | undefined {
    return this.#pattern.exec(head)?.[1];
  }

  /** The field line that sets it. */
  lineFor(value: string): string {
    return `Set-Cookie: ${this.#name}=${value}; ${this.#attributes}\r\n`;
  }
}
