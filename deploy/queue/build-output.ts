import { EventEmitter, on } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

const MAX_BYTES = 16 * 1024 * 1024;

/** The text of one running build: to its file, to the pusher, and to whoever follows it. */
export class BuildOutput {
  #fd: number;
  #bytes = 0;
  #events = new EventEmitter();
  #end: () => void;

  constructor(file: string, end: () => void) {
    this.#fd = openSync(file, 'a', 0o600);
    this.#end = end;
    this.#events.setMaxListeners(0);
  }

  write(text: string): void {
    if (this.#bytes > MAX_BYTES) return;
    this.#bytes += Buffer.byteLength(text);
    const cut =
      this.#bytes > MAX_BYTES
        ? `${text.slice(0, 1000)}\n !     The output is over 16 MiB; the rest is left out.\n`
        : text;
    try {
      writeSync(this.#fd, cut);
    } catch {
      // On a full disk the pusher still reads it.
    }
    this.#events.emit('text', cut);
  }

  onText(listener: (text: string) => void): void {
    this.#events.on('text', listener);
  }

  close(): void {
    closeSync(this.#fd);
    this.#events.emit('end');
    this.#end();
  }

  async *follow(signal?: AbortSignal): AsyncGenerator<string> {
    const events = on(this.#events, 'text', { close: ['end'], ...(signal && { signal }) });
    try {
      for await (const [text] of events) yield text;
    } catch (error) {
      if ((error as Error).name !== 'AbortError') throw error;
    }
  }
}

/** Every build's output, one file each. */
export class BuildOutputs {
  #folder: string;
  #open = new Map<number, BuildOutput>();

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Takes away those of builds that are no more; once at start. */
  prepare(isBuild: (id: number) => boolean): void {
    for (const name of readdirSync(this.#folder)) {
      const id = /^(\d+)\.log$/.exec(name)?.[1];
      if (id !== undefined && !isBuild(Number(id))) this.remove(Number(id));
    }
  }

  create(id: number): BuildOutput {
    const output = new BuildOutput(this.#file(id), () => this.#open.delete(id));
    this.#open.set(id, output);
    return output;
  }

  has(id: number): boolean {
    return existsSync(this.#file(id));
  }

  async *read(id: number, options: { follow?: boolean; signal?: AbortSignal } = {}): AsyncGenerator<string> {
    const following = options.follow ? this.#open.get(id)?.follow(options.signal) : undefined;
    const file = this.#file(id);
    if (existsSync(file)) yield readFileSync(file, 'utf8');
    if (following) yield* following;
  }

  remove(id: number): void {
    rmSync(this.#file(id), { force: true });
  }

  #file(id: number): string {
    return join(this.#folder, `${id}.log`);
  }
}
