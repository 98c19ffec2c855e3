import { ReadStream } from 'node:tty';
import type { TerminalSize } from './kernel.ts';

/** The master side of a process's terminal: what it writes is read here, what is written here it reads. */
export class TerminalStream extends ReadStream {
  readonly #master: number;

  /** @param master its descriptor, from now on the stream's */
  constructor(master: number) {
    super(master);
    this.#master = master;
    // EIO is how a terminal says that its last process is gone.
    this.on('error', () => this.destroy());
  }

  /** Does nothing once the terminal is closed: its descriptor may be another's by now. */
  resize(size: TerminalSize, resizeTerminal: (fd: number, size: TerminalSize) => void): void {
    if (!this.destroyed) resizeTerminal(this.#master, size);
  }
}
