import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  LineSplitter,
  MAX_LINE,
  parseStamp,
  type RecordFilter,
  StampClock,
  showRecords as showPieces,
} from '../../../runtime/containers/log-record.ts';

const ALL = { since: undefined, until: undefined, timestamps: false };

const showRecords = (block: Buffer, filter: RecordFilter) =>
  Buffer.concat(showPieces(block, filter).map(({ text }) => text));

describe('LineSplitter', () => {
  it('LineSplitter.feed() makes a record of each line, however the output is cut', () => {
    const splitter = new LineSplitter(new StampClock());
    const records = [...splitter.feed(Buffer.from('on')), ...splitter.feed(Buffer.from('e\n\ntwo\nthr'))];
    assert.equal(showRecords(Buffer.concat(records), ALL).toString(), 'one\n\ntwo\n');
    assert.equal(splitter.pending, 3);
    assert.equal(showRecords(Buffer.concat(splitter.flush()), ALL).toString(), 'thr\n');
    assert.equal(splitter.pending, 0);
  });

  it('LineSplitter.feed() splits long lines, which are shown whole again', () => {
    const splitter = new LineSplitter(new StampClock());
    const line = 'x'.repeat(2 * MAX_LINE + 5);
    const records = splitter.feed(Buffer.from(`${line}\n`));
    assert.equal(records.length, 3);
    assert.ok(records.every((record) => record.length <= MAX_LINE + 32));
    assert.equal(showRecords(Buffer.concat(records), ALL).toString(), `${line}\n`);
    const lines = showRecords(Buffer.concat(records), { ...ALL, timestamps: true })
      .toString()
      .split('\n');
    assert.equal(lines.length, 4);
  });

  it('LineSplitter.feed() keeps at most one line in memory, and bytes as they are', () => {
    const splitter = new LineSplitter(new StampClock());
    const bytes = Buffer.from([0, 255, 13, 10]);
    for (let count = 0; count < 100; count++) splitter.feed(Buffer.alloc(60_000, 1));
    assert.ok(splitter.pending <= MAX_LINE);
    splitter.feed(Buffer.from('\n'));
    assert.deepEqual(showRecords(Buffer.concat(splitter.feed(bytes)), ALL), bytes);
  });
});

describe('StampClock', () => {
  it('StampClock.next() gives RFC 3339 times that only grow', () => {
    const clock = new StampClock();
    const stamps = Array.from({ length: 3000 }, () => clock.next());
    assert.deepEqual(stamps, [...new Set(stamps)].sort());
    assert.match(stamps[0]!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  });
});

describe('showRecords()', () => {
  const records = Buffer.from(
    [1, 2, 3].map((second) => `2026-01-01T00:00:0${second}.000000001Z line ${second}\n`).join(''),
  );

  it('showRecords() shows what lies between since and until', () => {
    const since = parseStamp('1767225602');
    const until = parseStamp('2026-01-01T00:00:02.5Z');
    assert.equal(showRecords(records, { since, until, timestamps: false }).toString(), 'line 2\n');
  });

  it('showRecords() leaves torn records out', () => {
    const torn = Buffer.concat([Buffer.from('\0\0\0\n2026\n'), records]);
    assert.deepEqual(showRecords(torn, { ...ALL, timestamps: true }), records);
  });
});

describe('showRecords() of two streams', () => {
  const clock = new StampClock();
  const [stdout, stderr] = [new LineSplitter(clock, 0), new LineSplitter(clock, 1)];
  const long = 'x'.repeat(MAX_LINE + 5);
  const block = Buffer.concat([
    ...stdout.feed(Buffer.from('one\n')),
    ...stderr.feed(Buffer.from(`bad\n${long}\n`)),
    ...stdout.feed(Buffer.from('two\n')),
  ]);
  const told = (filter: Partial<RecordFilter>) =>
    showPieces(block, { ...ALL, ...filter }).map(({ source, text }) => [source, text.toString()]);

  it('tells them apart, in the order of writing', () => {
    assert.deepEqual(told({}), [
      [0, 'one\n'],
      [1, `bad\n${long}\n`],
      [0, 'two\n'],
    ]);
  });

  it('gives only those that are asked for', () => {
    assert.deepEqual(told({ sources: [0] }), [[0, 'one\ntwo\n']]);
    assert.deepEqual(told({ sources: [1] }), [[1, `bad\n${long}\n`]]);
  });

  it('begins lines with a space for details, after the time', () => {
    assert.deepEqual(told({ sources: [0], details: true }), [[0, ' one\n two\n']]);
    assert.match(told({ sources: [0], details: true, timestamps: true })[0]![1] as string, /^\S+Z {2}one\n/);
  });
});

describe('parseStamp()', () => {
  it('parseStamp() reads what clients send', () => {
    assert.equal(parseStamp('1767225602.25'), '2026-01-01T00:00:02.250000000Z');
    assert.equal(parseStamp('2026-01-01T00:00:02Z'), '2026-01-01T00:00:02.000000000Z');
    for (const none of [null, '', '0', 'nonsense']) assert.equal(parseStamp(none), undefined);
  });
});
