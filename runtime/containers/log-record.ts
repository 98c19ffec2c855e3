/** Longer lines become several records. */
export const MAX_LINE = 16 * 1024;

/**
 * A record of a container's log is one line of the file:
 *
 *   2026-11-21T04:51:58.123000001Z text      a whole line, or the end of one
 *   2026-11-21T04:51:58.123000002Z+text      the line goes on in the next record of the same stream
 *
 * Of stderr, where it is apart, the sign is `!` for a whole line and `*` for one that goes on.
 */
export const STAMP_LENGTH = 30;
const PREFIX_LENGTH = STAMP_LENGTH + 1;
const NEWLINE = 10;

/** Of which stream: 0 is stdout, and both where they are one; 1 is stderr. */
export type LogSource = 0 | 1;

/** By source. */
const WHOLE = [' ', '!'] as const;
const GOES_ON = ['+', '*'] as const;
const SIGNS = new Map<number, { source: LogSource; goesOn: boolean }>(
  ([0, 1] as const).flatMap((source) => [
    [WHOLE[source].charCodeAt(0), { source, goesOn: false }],
    [GOES_ON[source].charCodeAt(0), { source, goesOn: true }],
  ]),
);

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
  readonly #source: LogSource;
  #pending: Buffer = Buffer.alloc(0);

  constructor(clock: StampClock, source: LogSource = 0) {
    this.#clock = clock;
    this.#source = source;
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
        this.#push(parts, chunk.subarray(start, start + room), GOES_ON);
        start += room;
      } else if (newline < 0) {
        this.#pending = Buffer.concat([this.#pending, chunk.subarray(start)]);
        start = end;
      } else {
        this.#push(parts, chunk.subarray(start, end), WHOLE);
        start = end + 1;
      }
    }
    return parts;
  }

  /** The rest, when no more will come. */
  flush(): Buffer[] {
    const parts: Buffer[] = [];
    if (this.#pending.length > 0) this.#push(parts, Buffer.alloc(0), WHOLE);
    return parts;
  }

  #push(parts: Buffer[], text: Buffer, signs: readonly [string, string]): void {
    const pending = this.#pending;
    const record = Buffer.allocUnsafe(PREFIX_LENGTH + pending.length + text.length + 1);
    record.write(this.#clock.next() + signs[this.#source], 'latin1');
    record.set(pending, PREFIX_LENGTH);
    record.set(text, PREFIX_LENGTH + pending.length);
    record[record.length - 1] = NEWLINE;
    parts.push(record);
    if (pending.length > 0) this.#pending = Buffer.alloc(0);
  }
}

/** Which records of a log, by their stamps (compared as text) and streams, and how they are shown. */
export interface RecordFilter {
  since: string | undefined;
  until: string | undefined;
  timestamps: boolean;
  /** Before each line what the log's options say of it, which is nothing: a space. */
  details?: boolean;
  sources?: readonly LogSource[] | undefined;
}

/** Text of one stream. */
export interface ShownText {
  source: LogSource;
  text: Buffer;
}

/**
 * What a client sees of a block of whole records, in their order: with timestamps every record as a line of its own, without
 * them the lines as they were written. Records that a power cut tore are left out.
 */
export function showRecords(block: Buffer, filter: RecordFilter): ShownText[] {
  const shown: { source: LogSource; parts: Buffer[] }[] = [];
  for (let start = 0; start < block.length; ) {
    const end = block.indexOf(NEWLINE, start) + 1 || block.length;
    const sign = end - start > PREFIX_LENGTH ? SIGNS.get(block[start + STAMP_LENGTH]!) : undefined;
    if (sign && fits(block.toString('latin1', start, start + STAMP_LENGTH), sign.source, filter)) {
      const last = shown.at(-1);
      const parts = last?.source === sign.source ? last.parts : [];
      if (parts !== last?.parts) shown.push({ source: sign.source, parts });
      parts.push(...showRecord(block.subarray(start, end), sign.goesOn, filter));
    }
    start = end;
  }
  return shown.map(({ source, parts }) => ({ source, text: Buffer.concat(parts) }));
}

const SPACE = Buffer.from(' ');

function showRecord(record: Buffer, goesOn: boolean, { timestamps, details }: RecordFilter): Buffer[] {
  const text = record.subarray(PREFIX_LENGTH, goesOn && !timestamps ? record.length - 1 : record.length);
  const before = details ? [SPACE] : [];
  return timestamps ? [record.subarray(0, STAMP_LENGTH), SPACE, ...before, text] : [...before, text];
}

function fits(stamp: string, source: LogSource, { since, until, sources }: RecordFilter): boolean {
  return !(since && stamp < since) && !(until && stamp > until) && (sources?.includes(source) ?? true);
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
