import { type WriteRequest, WriteWrap } from './stream-handle.ts';
import { TurnEnd } from './turn-end.ts';

/** Memory for what is read, and for what is on its way out. */
export class BufferPool {
  /** Whatever is read comes in here; it lasts until the next read. */
  readonly shared = Buffer.allocUnsafeSlow(READ);
  /** Of the buffers that are lent. */
  readonly size = READ + HEAD;
  /** For the next write: only one that waits needs its own. */
  request: WriteRequest = new WriteWrap();
  readonly turn = new TurnEnd();
  readonly #free: Buffer[] = [];

  /** The request is in use. */
  renewRequest(): void {
    this.request = new WriteWrap();
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.size);
  }

  give(buffer: Buffer): void {
    if (this.#free.length < KEPT) this.#free.push(buffer);
  }
}

const READ = 64 * 1024;
const HEAD = 16 * 1024;
const KEPT = 64;
