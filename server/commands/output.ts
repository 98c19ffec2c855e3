import type { Writable } from 'node:stream';
import { escapeControls } from './terminal-text.ts';

/** Data on stdout, progress and warnings on stderr. All but `write` shows control characters as text. */
export class Output {
  readonly stdout: Writable;
  readonly stderr: Writable;
  #terminal: boolean;

  /** `terminal`: the other end is a terminal in raw mode, where a line ends with CR LF. */
  constructor(streams: { stdout: Writable; stderr: Writable; terminal?: boolean }) {
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
    this.#terminal = streams.terminal ?? false;
  }

  /** One line of data. */
  line(text = ''): void {
    this.stdout.write(this.#lineEnds(`${escapeControls(text)}\n`));
  }

  lines(lines: Iterable<string>): void {
    for (const line of lines) this.line(line);
  }

  /** Data as it is. Resolves when the client takes more. */
  write(text: string): Promise<void> {
    if (text === '') return Promise.resolve();
    return new Promise((resolve) => {
      this.stdout.write(this.#lineEnds(text), () => resolve());
    });
  }

  /** A JSON document on one line, and nothing else. What is undefined is null there, so that no field is missing. */
  json(document: unknown): Promise<void> {
    return this.write(`${JSON.stringify(document, (_name, value) => value ?? null)}\n`);
  }

  /** One line beside the data. */
  note(text: string): void {
    this.stderr.write(this.#lineEnds(`${escapeControls(text)}\n`));
  }

  /** A message for people, each line marked as an error. */
  error(message: string): void {
    for (const line of message.split('\n')) this.note(` !     ${line}`);
  }

  /** The start of a line beside the data, e.g. a question. */
  prompt(text: string): void {
    this.stderr.write(this.#lineEnds(escapeControls(text)));
  }

  /** `Scaling dynos... done, now running web at 3`: the label at once, the outcome that `work` returns when it is there. */
  async action<T>(label: string, work: () => Promise<T>, outcome: (result: T) => string): Promise<T> {
    this.prompt(`${label}... `);
    try {
      const result = await work();
      this.note(outcome(result));
      return result;
    } catch (error) {
      this.note('failed');
      throw error;
    }
  }

  #lineEnds(text: string): string {
    return this.#terminal ? text.replaceAll('\n', '\r\n') : text;
  }
}
