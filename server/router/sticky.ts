import { createHash } from 'node:crypto';

/** The cookie by which a visitor stays with the dyno that answered first. Each app has its own, as several may share a host. */
export class StickyCookie {
  readonly #name: string;
  readonly #pattern: RegExp;

  constructor(app: string) {
    this.#name = `paas-dyno-${createHash('sha256').update(app).digest('hex').slice(0, 8)}`;
    this.#pattern = new RegExp(
      `\\r\\ncookie:(?:[^\\r\\n]*?[ ;])?${this.#name}=([a-z0-9.-]{1,80})(?![^;\\r\\n ])`,
      'i',
    );
  }

  /** The dyno's name in a request's head; undefined: none. */
  read(head: string): string | undefined {
    return this.#pattern.exec(head)?.[1];
  }

  /** The field line that makes a visitor come back to this dyno, for as long as the browser runs. */
  lineFor(dyno: string): string {
    return `Set-Cookie: ${this.#name}=${dyno}; Path=/; HttpOnly; SameSite=Lax\r\n`;
  }
}
