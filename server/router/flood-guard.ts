/** So much at once, and so much more each second; time in milliseconds. */
class Allowance {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #at: number;

  constructor({ burst, perSecond, now }: { burst: number; perSecond: number; now: number }) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
    this.#at = now;
  }

  /** false: that was too much. */
  take(amount: number, now: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) * this.#perSecond) / 1000);
    this.#at = now;
    this.#left -= amount;
    return this.#left >= 0;
  }
}

/**
 * Tells a client of HTTP/2 that makes work from one that has some: requests that are given up by the hundred, whoever resets them
 * (CVE-2023-44487, CVE-2025-8671), and frames that carry nothing (CVE-2019-9512 to 9518, CVE-2024-27316).
 */
export class FloodGuard {
  readonly #resets: Allowance;
  readonly #chatter: Allowance;
  readonly #overhead: Allowance;
  #bytesSeen = 0;

  constructor(now: number) {
    this.#resets = new Allowance({ burst: 200, perSecond: 30, now });
    this.#chatter = new Allowance({ burst: 200, perSecond: 20, now });
    this.#overhead = new Allowance({ burst: 1024 * 1024, perSecond: 64 * 1024, now });
  }

  /** A stream ended without a whole answer. Like the others: false when it was one too many. */
  reset(now: number): boolean {
    return this.#resets.take(1, now);
  }

  /** SETTINGS or PING. */
  chat(now: number): boolean {
    return this.#chatter.take(1, now);
  }

  /** Bytes since the connection began: read, and those that there was a reason for. */
  bytes({ read, needed }: { read: number; needed: number }, now: number): boolean {
    const idle = Math.max(0, read - needed);
    const more = Math.max(0, idle - this.#bytesSeen);
    this.#bytesSeen = Math.max(this.#bytesSeen, idle);
    return this.#overhead.take(more, now);
  }
}
