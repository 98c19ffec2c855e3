import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** What is waited for a password: its hash costs some 40 ms of a processor and 16 MB. */
const AT_ONCE = 2;
const MOST_WAITING = 32;
const REMEMBERED = 1000;

/**
 * Tells whether passwords are right, by `scrypt:N:r:p:SALT:HASH` (salt and hash in base64url; RFC 7914). Those that were right are
 * remembered by a digest under a key of this process, so that a visitor pays once.
 */
export class PasswordCheck {
  readonly #key = randomBytes(32);
  /** Digests of right ones. */
  readonly #known = new Set<string>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** Whether it was right before; if not, `verify` must tell. */
  recalls(password: string, hash: string): boolean {
    return this.#known.has(this.#digest(password, hash));
  }

  /** undefined: too many are being reckoned already. */
  async verify(password: string, hash: string): Promise<boolean | undefined> {
    if (this.#waiting.length >= MOST_WAITING) return undefined;
    if (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      // Somebody else may have asked the same meanwhile.
      if (this.recalls(password, hash)) return true;
      const right = await isRight(password, hash);
      if (right) this.#remember(this.#digest(password, hash));
      return right;
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  #remember(digest: string): void {
    const [oldest] = this.#known.size >= REMEMBERED ? this.#known : [];
    if (oldest !== undefined) this.#known.delete(oldest);
    this.#known.add(digest);
  }

  #digest(password: string, hash: string): string {
    return createHmac('sha256', this.#key).update(`${hash} ${password}`).digest('base64');
  }
}

/** As costly as `hash`, and right for no password: another salt than anybody's, and digits that nothing was reckoned to. */
export function unmatchable(hash: string): string {
  const [scheme, cost, blockSize, parallelization, salt, wanted] = hash.split(':');
  const random = (like: string) => randomBytes(Buffer.from(like, 'base64url').length).toString('base64url');
  return [scheme, cost, blockSize, parallelization, random(salt!), random(wanted!)].join(':');
}

async function isRight(password: string, text: string): Promise<boolean> {
  const [, cost, blockSize, parallelization, salt, wanted] = text.split(':');
  const hash = Buffer.from(wanted!, 'base64url');
  const options = {
    cost: Number(cost),
    blockSize: Number(blockSize),
    parallelization: Number(parallelization),
  };
  const found = await new Promise<Buffer>((resolve, reject) => {
    scrypt(
      password,
      Buffer.from(salt!, 'base64url'),
      hash.length,
      { ...options, maxmem: 64 * 1024 ** 2 },
      (error, key) => (error ? reject(error) : resolve(key)),
    );
  });
  return timingSafeEqual(found, hash);
}
