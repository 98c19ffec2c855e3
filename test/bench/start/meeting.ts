import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';

/** Where the meeting's folder is seen from inside: a folder that images have. */
export const MEETING = '/mnt';

/**
 * A shell that says its token, which shows that it runs, and then sleeps: it waits for a line that never comes, in itself, so that
 * it is one process. The same for every runtime.
 */
export function sleepingShell(folder = MEETING): string[] {
  return ['sh', '-c', `echo $TOKEN > ${folder}/said; read line < ${folder}/never`];
}

/** A folder with two named pipes, to be bound into containers. */
export class Meeting {
  readonly folder: string;
  readonly said = new Set<string>();
  readonly #socket: Socket;
  readonly #never: number;
  #text = '';
  #changed = () => {};

  constructor(parent: string) {
    this.folder = join(parent, 'meeting');
    mkdirSync(this.folder, { mode: 0o755 });
    execFileSync('mkfifo', ['-m', '666', join(this.folder, 'said'), join(this.folder, 'never')]);
    this.#never = openSync(join(this.folder, 'never'), 'r+');
    const fd = openSync(join(this.folder, 'said'), constants.O_RDWR | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.on('data', (chunk) => this.#take(chunk.toString()));
  }

  /** Resolves when a shell with this token runs. */
  async arrival(token: string): Promise<void> {
    await this.#until(() => this.said.has(token));
  }

  /** Resolves when shells with so many different tokens run. */
  async arrivals(count: number): Promise<void> {
    await this.#until(() => this.said.size >= count);
  }

  close(): void {
    this.#socket.destroy();
    closeSync(this.#never);
  }

  async #until(condition: () => boolean): Promise<void> {
    const PATIENCE_MILLISECONDS = 120_000;
    const end = performance.now() + PATIENCE_MILLISECONDS;
    while (!condition()) {
      if (performance.now() > end) throw new Error(`Only ${this.said.size} shells have said anything.`);
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#changed = resolve;
        }),
        new Promise((resolve) => setTimeout(resolve, 1000).unref()),
      ]);
    }
  }

  #take(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop()!;
    for (const line of lines) this.said.add(line);
    this.#changed();
  }
}
