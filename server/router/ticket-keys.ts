import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/**
 * The keys of session tickets (RFC 8446, 4.6.1): in a file, so that a client comes back without a new handshake also to another router,
 * and for a day only, since who has them can read what was said on resumed sessions of TLS 1.2.
 */
export class TicketKeys {
  readonly #path: string | undefined;
  #keys: Buffer | undefined;
  #madeAt = 0;
  #lookedAt = 0;

  /** `path`: undefined keeps them in memory. */
  constructor(path?: string) {
    this.#path = path;
  }

  /** 48 bytes; the same object until they change. `now`: milliseconds since the epoch. */
  current(now: number = Date.now()): Buffer {
    if (this.#keys && now - this.#lookedAt < LOOK_EVERY) return this.#keys;
    this.#lookedAt = now;
    this.#load();
    if (!this.#keys || now - this.#madeAt > LIFETIME || now < this.#madeAt) this.#renew(now);
    return this.#keys!;
  }

  /** Another router may have renewed them. */
  #load(): void {
    if (this.#path === undefined) return;
    try {
      const { madeAt, keys } = JSON.parse(readFileSync(this.#path, 'utf8')) as Kept;
      const bytes = Buffer.from(keys, 'base64');
      if (bytes.length !== LENGTH || !Number.isFinite(madeAt)) return;
      this.#madeAt = madeAt;
      if (!this.#keys?.equals(bytes)) this.#keys = bytes;
    } catch {
      // None yet, or damaged: new ones are as good.
    }
  }

  #renew(now: number): void {
    this.#keys = randomBytes(LENGTH);
    this.#madeAt = now;
    if (this.#path === undefined) return;
    const kept: Kept = { madeAt: now, keys: this.#keys.toString('base64') };
    try {
      writeFileSync(`${this.#path}.${process.pid}`, JSON.stringify(kept), { mode: 0o600 });
      renameSync(`${this.#path}.${process.pid}`, this.#path);
    } catch (error) {
      console.error(`router: cannot keep the keys of TLS sessions: ${(error as Error).message}`);
    }
  }
}

interface Kept {
  madeAt: number;
  keys: string;
}

const LENGTH = 48;
const LIFETIME = 24 * 3600 * 1000;
const LOOK_EVERY = 60_000;
