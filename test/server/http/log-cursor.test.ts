import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { LogLine } from '../../../deploy/platform.ts';
import { LogCursor } from '../../../server/http/log-cursor.ts';

function line(at: number): LogLine {
  return { at: new Date(at), source: 'app', dyno: 'web.1', text: '' };
}

/** What a reader sees of `times` who had seen the first `seen` of them. */
function resumed(times: number[], seen: number): number[] {
  const cursor = new LogCursor();
  for (const at of times.slice(0, seen)) cursor.advance(line(at));
  const isKnown = LogCursor.parse(cursor.toString())!.skipper();
  return times.filter((at) => !isKnown(line(at)));
}

describe('LogCursor', () => {
  it('goes on after any line, however many have the same time', () => {
    const times = [1, 2, 2, 2, 3, 3, 4];
    for (let seen = 0; seen <= times.length; seen++) {
      assert.deepEqual(resumed(times, seen), times.slice(seen), `after ${seen}`);
    }
  });

  it('repeats no line whose time went back', () => {
    assert.deepEqual(resumed([1, 5, 3, 5, 6], 3), [5, 6]);
  });

  it('parses nothing but its own text', () => {
    for (const text of ['', 'x', '1', '1.2.3', '-1.2', `${'9'.repeat(40)}.1`, undefined]) {
      assert.equal(LogCursor.parse(text), undefined);
    }
    assert.equal(LogCursor.parse('1789000000000.3')?.toString(), '1789000000000.3');
  });

  it('knows when lines may be missing', () => {
    assert.equal(new LogCursor(5, 1).isBefore(line(9)), true);
    assert.equal(new LogCursor(5, 1).isBefore(line(5)), false);
    assert.equal(new LogCursor().isBefore(line(9)), false);
  });
});
