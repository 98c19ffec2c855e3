import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { LogLine, LogQuery, Logs } from '../platform.ts';
import { formatLogLine, matchesQuery, parseLogLine, splitText } from './log-line.ts';

const FILE_BYTES = 16 * 1024 * 1024;
const CHUNK = 128 * 1024;
/** Lines that a slow follower may lag behind before the oldest are skipped. */
const FOLLOWER_LINES = 10_000;
const FLUSH_MS = 5;

interface OpenLog {
  fd: number;
  bytes: number;
  pending: string[];
  timer: NodeJS.Timeout | undefined;
  followers: Set<Follower>;
}

/** Each app's log: two files of at most 16 MiB, the older one dropped; lines reach followers at once and the file within 5 ms. */
export class AppLogs implements Logs {
  #folder: string;
  #open = new Map<string, OpenLog>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  append(app: string, entry: { source: 'app' | 'paas'; dyno: string; text: string; at?: Date }): void {
    const log = this.#log(app);
    const at = entry.at ?? new Date();
    for (const text of splitText(entry.text)) {
      const line: LogLine = { at, source: entry.source, dyno: entry.dyno, text };
      log.pending.push(formatLogLine(line));
      for (const follower of log.followers) follower.take(line);
    }
    log.timer ??= setTimeout(() => this.#flush(app, log), FLUSH_MS);
  }

  async *read(app: string, query: LogQuery): AsyncGenerator<LogLine> {
    const log = this.#log(app);
    this.#flush(app, log);
    const follower = query.follow ? new Follower(log, query) : undefined;
    try {
      yield* this.#tail(app, query);
      if (follower) yield* follower.lines();
    } finally {
      follower?.stop();
    }
  }

  /** The time of the newest line of this dyno, to go on after it, and how many lines have that time. */
  lastOf(app: string, dyno: string): { at: Date; count: number } | undefined {
    const lines = this.#tail(app, { lines: 500, source: 'app', dyno });
    const at = lines.at(-1)?.at;
    return at && { at, count: lines.filter((line) => line.at.getTime() === at.getTime()).length };
  }

  remove(app: string): void {
    const log = this.#open.get(app);
    if (log) {
      clearTimeout(log.timer);
      closeSync(log.fd);
      this.#open.delete(app);
      for (const follower of log.followers) follower.end();
    }
    rmSync(join(this.#folder, app), { recursive: true, force: true });
  }

  /** Takes away those of apps that are no more; once at start. */
  prepare(isApp: (name: string) => boolean): void {
    for (const name of readdirSync(this.#folder)) {
      if (!name.startsWith('.') && !isApp(name)) rmSync(join(this.#folder, name), { recursive: true });
    }
  }

  close(): void {
    for (const [app, log] of this.#open) {
      this.#flush(app, log);
      closeSync(log.fd);
    }
    this.#open.clear();
  }

  #log(app: string): OpenLog {
    let log = this.#open.get(app);
    if (!log) {
      mkdirSync(join(this.#folder, app), { recursive: true, mode: 0o700 });
      const fd = openSync(this.#file(app, 'current'), 'a', 0o600);
      log = { fd, bytes: fstatSync(fd).size, pending: [], timer: undefined, followers: new Set() };
      this.#open.set(app, log);
    }
    return log;
  }

  #file(app: string, which: 'current' | 'previous'): string {
    return join(this.#folder, app, `${which}.log`);
  }

  #flush(app: string, log: OpenLog): void {
    clearTimeout(log.timer);
    log.timer = undefined;
    if (log.pending.length === 0) return;
    const text = `${log.pending.join('\n')}\n`;
    log.pending = [];
    try {
      log.bytes += writeSync(log.fd, text);
    } catch {
      return; // a full disk must not stop an app; followers have seen the lines
    }
    if (log.bytes > FILE_BYTES) {
      closeSync(log.fd);
      renameSync(this.#file(app, 'current'), this.#file(app, 'previous'));
      log.fd = openSync(this.#file(app, 'current'), 'a', 0o600);
      log.bytes = 0;
    }
  }

  #tail(app: string, query: LogQuery): LogLine[] {
    const wanted = query.lines ?? 100;
    const found: LogLine[] = [];
    for (const which of ['current', 'previous'] as const) {
      if (found.length >= wanted) break;
      for (const text of linesFromEnd(this.#file(app, which))) {
        const line = parseLogLine(text);
        if (line && matchesQuery(line, query)) found.push(line);
        if (found.length >= wanted) break;
      }
    }
    return found.slice(0, wanted).reverse();
  }
}

/** Lines that come while somebody reads, in order, until the log is removed; the oldest are skipped for a reader who is too slow. */
class Follower {
  #log: OpenLog;
  #query: LogQuery;
  #queue: LogLine[] = [];
  #skipped = 0;
  #isOver = false;
  #wake: () => void = () => {};

  constructor(log: OpenLog, query: LogQuery) {
    this.#log = log;
    this.#query = query;
    log.followers.add(this);
    query.signal?.addEventListener('abort', () => this.end(), { once: true });
  }

  take(line: LogLine): void {
    if (!matchesQuery(line, this.#query)) return;
    if (this.#queue.length >= FOLLOWER_LINES) {
      this.#queue.shift();
      this.#skipped += 1;
    }
    this.#queue.push(line);
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *lines(): AsyncGenerator<LogLine> {
    while (!this.#query.signal?.aborted) {
      const batch = this.#queue;
      this.#queue = [];
      if (this.#skipped > 0) {
        yield {
          at: new Date(),
          source: 'paas',
          dyno: 'logs',
          text: `${this.#skipped} lines skipped: this reader is too slow`,
        };
        this.#skipped = 0;
      }
      yield* batch;
      if (this.#queue.length > 0) continue;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  stop(): void {
    this.#log.followers.delete(this);
  }
}

/** The file's lines, last first. */
function* linesFromEnd(file: string): Generator<string> {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return;
  }
  try {
    let end = fstatSync(fd).size;
    let rest: Buffer = Buffer.alloc(0);
    while (end > 0) {
      const start = Math.max(0, end - CHUNK);
      const chunk = Buffer.alloc(end - start);
      readSync(fd, chunk, 0, chunk.length, start);
      end = start;
      let block: Buffer = Buffer.concat([chunk, rest]);
      if (start > 0) {
        const cut = block.indexOf(10) + 1;
        if (cut === 0) {
          rest = block;
          continue;
        }
        rest = block.subarray(0, cut);
        block = block.subarray(cut);
      }
      const lines = block.toString().split('\n');
      for (let index = lines.length - 1; index >= 0; index -= 1) if (lines[index] !== '') yield lines[index]!;
    }
  } finally {
    closeSync(fd);
  }
}
