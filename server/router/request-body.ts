import { type BodyFraming, framingOf } from './body-framing.ts';
import type { Limits } from './limits.ts';

/** A request's body on its way from a client: where it ends, what of it waits, and whether it comes fast enough. */
export class RequestBody {
  /** What waits for a connection, or is kept to be sent once more. */
  kept: Buffer[] = [];
  readonly #framing: BodyFraming;
  #bytes = 0;
  /** The beginning of the period in which enough bytes must come. */
  #mark: { at: number; bytes: number };

  /** `length`: bytes, CHUNKED or NO_BODY. */
  constructor(length: number, now: number) {
    this.#framing = framingOf(length);
    this.#mark = { at: now, bytes: 0 };
  }

  /** All of it was read. */
  get done(): boolean {
    return this.#framing.done;
  }

  /** Takes bytes, appends those to pass on to `out`, returns where the body ended in them. Throws FramingError. */
  feed(chunk: Buffer, out: Buffer[]): number {
    this.#bytes += chunk.length;
    return this.#framing.feed(chunk, 0, out);
  }

  /** A drop now and then is not enough: a dyno waits for it all the time. */
  isTooSlow(now: number, limits: Limits): boolean {
    if (now - this.#mark.at <= limits.silence) return false;
    if (this.#bytes - this.#mark.bytes < limits.bodyBytesPerSilence) return true;
    this.#mark = { at: now, bytes: this.#bytes };
    return false;
  }
}
