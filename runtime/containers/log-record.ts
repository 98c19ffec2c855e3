/** Longer lines become several records. */
export const MAX_LINE = 16 * 1024;

/**
 * A record of a container's log is one line of the file:
 *
 *   2026-11-21T04:51:58.123000001Z text      a whole line, or the end of one
 *   2026-11-21T04:51:58.123000002Z+text      the line goes on in the next record
 */
export const STAMP_LENGTH = 30;
const PREFIX_LENGTH = STAMP_LENGTH + 1;
const NEWLINE = 10;
const SPACE = 32;
const PLUS = 43;

/** Gives times of fixed width in RFC 3339, each later than the one before: the last six digits only count within a millisecond. */
export class StampClock {
  #millisecond = 0;
  #second = '';
  #count = 0;

  next(): string {
    const now = Date.now();
    if (now > this.#millisecond || this.#count === 999_999) this.#tick(Math.max(now, this.#millisecond + 1));
    this.#count++;
    return `${this.#second}${String(this.#count).padStart(6, '0')}Z`;
  }

  #tick(millisecond: number): void {
    this.#millisecond = millisecond;
    this.#count = 0;
    this.#second = new Date(millisecond).toISOString().slice(0, -1);
  }
}

/** Cuts a container's output into records. */
export class LineSplitter {
  readonly #clock: StampClock;
  #pending: Buffer = Buffer.alloc(0);

  constructor(clock: StampClock) {
    this.#clock = clock;
  }

  /** Bytes that were fed but are in no record yet: the begin of a line. */
  get pending(): number {
    return this.#pending.length;
  }

  /** The records that `chunk` completes, ready for the file. */
  feed(chunk: Buffer): Buffer[] {
    const parts: Buffer[] = [];
    let start = 0;
    while (start < chunk.length) {
      const newline = chunk.indexOf(NEWLINE, start);
      const end = newline < 0 ? chunk.length : newline;
      const room = MAX_LINE - this.#pending.length;
      if (end - start > room) {
        this.#push(parts, chunk.subarray(start, start + room), '+');
        start += room;
      } else if (newline < 0) {
        this.#pending = Buffer.concat([this.#pending, chunk.subarray(start)]);
        start = end;
      } else {
        this.#push(parts, chunk.subarray(start, end), ' ');
        start = end + 1;
      }
    }
    return parts;
  }

  /** The rest, when no more will come. */
  flush(): Buffer[] {
    const parts: Buffer[] = [];
    if (this.#pending.length > 0) this.#push(parts, Buffer.alloc(0), ' ');
    return parts;
  }

  #push(parts: Buffer[], text: Buffer, flag: ' ' | '+'): void {
    const pending = this.#pending;
    const record = Buffer.allocUnsafe(PREFIX_LENGTH + pending.length + text.length + 1);
    record.write(this.#clock.next() + flag, 'latin1');
    record.set(pending, PREFIX_LENGTH);
    record.set(text, PREFIX_LENGTH + pending.length);
    record[record.length - 1] = NEWLINE;
    parts.push(record);
    if (pending.length > 0) this.#pending = Buffer.alloc(0);
  }
}

/** Which records of a log, by their stamps (compared as text), and how they are shown. */
export interface RecordFilter {
  since: string | undefined;
  until: string | undefined;
  timestamps: boolean;
}

/**
 * What a client sees of a block of whole records: with timestamps every record as a line of its own, without them
 * the lines as they were written. Records that a power cut tore are left out.
 */
export function showRecords(block: Buffer, filter: RecordFilter): Buffer {
  const parts: Buffer[] = [];
  for (let start = 0; start < block.length; ) {
    const end = block.indexOf(NEWLINE, start) + 1 || block.length;
    const flag = block[start + STAMP_LENGTH];
    if (end - start > PREFIX_LENGTH && (flag === SPACE || flag === PLUS)) {
      const stamp = block.toString('latin1', start, start + STAMP_LENGTH);
      if (!(filter.since && stamp < filter.since) && !(filter.until && stamp > filter.until)) {
        if (filter.timestamps) parts.push(withSpace(block.subarray(start, end)));
        else parts.push(block.subarray(start + PREFIX_LENGTH, flag === PLUS ? end - 1 : end));
      }
    }
    start = end;
  }
  return Buffer.concat(parts);
}

/** Seconds since 1970 with up to nine decimals, as the Engine API has it, or RFC 3339 → a stamp; undefined for none. */
export function parseStamp(text: string | null): string | undefined {
  if (!text || text === '0') return undefined;
  const match = /^(\d{1,12})(?:\.(\d{1,9}))?\d*$/.exec(text);
  if (!match) {
    const time = new Date(text);
    return Number.isNaN(time.getTime()) ? undefined : `${time.toISOString().slice(0, -1)}000000Z`;
  }
  const seconds = new Date(Number(match[1]) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${(match[2] ?? '').padEnd(9, '0')}Z`;
}

function withSpace(record: Buffer): Buffer {
  if (record[STAMP_LENGTH] === SPACE) return record;
  const copy = Buffer.from(record);
  copy[STAMP_LENGTH] = SPACE;
  return copy;
}
