import type { EventStream } from './event-stream.ts';

const EVERY = 40;
const MOST = 500;

/** Gathers lines for 40 ms and sends them as one event, a JSON array: one event a line would keep both ends busy. */
export class LineBatch {
  readonly #stream: EventStream;
  #items: unknown[] = [];
  #id = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: EventStream) {
    this.#stream = stream;
    stream.signal.addEventListener('abort', () => clearTimeout(this.#timer));
  }

  /** `id` is where a reader goes on who has seen this item. Waits for a slow reader. */
  async add(item: unknown, id: string): Promise<void> {
    this.#items.push(item);
    this.#id = id;
    if (this.#items.length >= MOST) await this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), EVERY);
  }

  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#items.length === 0) return;
    const data = JSON.stringify(this.#items);
    this.#items = [];
    await this.#stream.send({ id: this.#id, data });
  }
}
