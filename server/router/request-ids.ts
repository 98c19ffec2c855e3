import { randomFillSync } from 'node:crypto';

/** Random UUIDs (RFC 9562, version 4), made by the hundred. */
export class RequestIds {
  readonly #bytes = Buffer.alloc(16 * BATCH);
  #hex = '';
  #used = BATCH;

  next(): string {
    if (this.#used === BATCH) this.#refill();
    const at = this.#used++ * 32;
    const hex = this.#hex;
    return `${hex.slice(at, at + 8)}-${hex.slice(at + 8, at + 12)}-${hex.slice(at + 12, at + 16)}-${hex.slice(at + 16, at + 20)}-${hex.slice(at + 20, at + 32)}`;
  }

  #refill(): void {
    randomFillSync(this.#bytes);
    for (let at = 0; at < this.#bytes.length; at += 16) {
      this.#bytes[at + 6] = (this.#bytes[at + 6]! & 0x0f) | 0x40;
      this.#bytes[at + 8] = (this.#bytes[at + 8]! & 0x3f) | 0x80;
    }
    this.#hex = this.#bytes.toString('hex');
    this.#used = 0;
  }
}

const BATCH = 128;
