import type { Writable } from 'node:stream';

/** Tells whoever follows which sleeping apps are asked for; what nobody heard yet is kept. */
export class WakeCalls {
  readonly #followers = new Set<Writable>();
  readonly #unheard = new Set<string>();

  call(app: string): void {
    if (this.#followers.size === 0) this.#unheard.add(app);
    for (const stream of this.#followers) stream.write(lineOf(app));
  }

  /** `{"app":name}` as JSON lines, until the stream ends. */
  follow(stream: Writable): void {
    this.#followers.add(stream);
    for (const end of ['close', 'error']) stream.on(end, () => this.#followers.delete(stream));
    for (const app of this.#unheard) stream.write(lineOf(app));
    this.#unheard.clear();
  }
}

function lineOf(app: string): string {
  return `${JSON.stringify({ app })}\n`;
}
