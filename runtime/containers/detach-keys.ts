import { Transform, type TransformCallback } from 'node:stream';
import { EngineError } from '../engine-error.ts';

/** Docker's: ctrl-p, ctrl-q. */
const DEFAULT_KEYS = [16, 17];
const NAMED = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/** `ctrl-p,ctrl-q` or `a,b` as bytes; empty: Docker's default. Throws `invalid`. */
export function parseDetachKeys(text: string): number[] {
  if (text === '') return DEFAULT_KEYS;
  return text.split(',').map((key) => {
    const control = /^ctrl-(.)$/.exec(key);
    const code = control ? NAMED.indexOf(control[1]!.toLowerCase()) : key.charCodeAt(0);
    if ((control || key.length === 1) && code >= 0 && code < 128) return code;
    throw new EngineError(
      'invalid',
      `"${key}" in the detach keys is no key: one character, or ctrl- and one of a-z @ [ \\ ] ^ _`,
    );
  });
}

/** What a client types, until it types the keys by which it leaves; then it emits `detach` and passes nothing on. */
export class UntilDetached extends Transform {
  readonly #keys: number[];
  #matched = 0;
  #detached = false;

  constructor(keys: number[]) {
    super();
    this.#keys = keys;
  }

  override _transform(chunk: Buffer, _: string, done: TransformCallback): void {
    const passed: number[] = [];
    for (const byte of chunk) {
      if (this.#detached) break;
      this.#take(byte, passed);
    }
    done(null, passed.length > 0 ? Buffer.from(passed) : undefined);
    if (this.#detached) this.emit('detach');
  }

  /** Keys of a sequence that was begun and not ended are the app's. */
  #take(byte: number, passed: number[]): void {
    if (byte === this.#keys[this.#matched]) {
      this.#matched++;
      this.#detached = this.#matched === this.#keys.length;
      return;
    }
    passed.push(...this.#keys.slice(0, this.#matched));
    this.#matched = 0;
    if (byte === this.#keys[0]) this.#take(byte, passed);
    else passed.push(byte);
  }
}
