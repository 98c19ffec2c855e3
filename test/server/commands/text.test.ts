import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { logText } from '../../../server/commands/logs.ts';
import { dynoLines, parseScaleChange } from '../../../server/commands/ps.ts';
import { parseCount, parseVersion } from '../../../server/commands/releases.ts';
import { joinCommand } from '../../../server/commands/run.ts';
import { fieldList, textTable } from '../../../server/commands/text-table.ts';
import { agoText, durationText, timeText } from '../../../server/commands/time-text.ts';

describe('parseScaleChange()', () => {
  it('reads =, + and -', () => {
    assert.deepEqual(parseScaleChange('web=3'), { type: 'web', operator: '=', quantity: 3 });
    assert.deepEqual(parseScaleChange('worker+1'), { type: 'worker', operator: '+', quantity: 1 });
    assert.deepEqual(parseScaleChange('web-1'), { type: 'web', operator: '-', quantity: 1 });
    assert.deepEqual(parseScaleChange('my-job-2'), { type: 'my-job', operator: '-', quantity: 2 });
    assert.deepEqual(parseScaleChange('my-job=0'), { type: 'my-job', operator: '=', quantity: 0 });
  });

  for (const text of [
    'web',
    'web=',
    '=3',
    'web=-1',
    'web=1e9',
    'web=1.5',
    'web=99999',
    'web=3 ',
    'w b=1',
    'web==1',
    'web=0x1',
  ]) {
    it(`refuses "${text}"`, () => {
      assert.throws(() => parseScaleChange(text), { code: 'invalid' });
    });
  }
});

describe('dynoLines()', () => {
  const since = new Date('2026-08-10T10:00:00Z');
  const now = new Date('2026-08-10T11:10:00Z');

  it('writes as Heroku does', () => {
    const dyno = { type: 'web', command: 'npm start', since, release: 1, reason: undefined };
    assert.deepEqual(
      dynoLines(
        [
          { type: 'web', command: 'npm start', quantity: 2 },
          { type: 'worker', command: 'node worker.js', quantity: 0 },
        ],
        [
          { ...dyno, name: 'web.1', number: 1, state: 'up' },
          {
            ...dyno,
            name: 'web.2',
            number: 2,
            state: 'crashed',
            reason: 'exited with status 1',
            backoff: { crashes: 7, next: new Date(now.getTime() + 19_500) },
          },
          { ...dyno, name: 'run.77', number: 77, type: 'run', state: 'up' },
        ],
        now,
      ),
      [
        '=== web: npm start (2)',
        'web.1: up 2026-08-10 10:00:00 +0000 (~ 1h ago)',
        'web.2: crashed 2026-08-10 10:00:00 +0000 (~ 1h ago): exited with status 1; crash 7 in a row, next start in 20 s',
        '',
        '=== one-off',
        'run.77: up 2026-08-10 10:00:00 +0000 (~ 1h ago)',
      ],
    );
  });
});

describe('logText()', () => {
  it('writes as Heroku does', () => {
    const at = new Date('2026-08-10T05:52:56.417Z');
    assert.equal(
      logText({ at, source: 'app', dyno: 'web.1', text: 'hello\x1b[2J' }),
      '2026-08-10T05:52:56.417000+00:00 app[web.1]: hello\\x1b[2J\n',
    );
  });
});

describe('parseVersion()', () => {
  it('reads v40 and 40', () => {
    assert.equal(parseVersion('v40'), 40);
    assert.equal(parseVersion('40'), 40);
  });

  it('refuses anything else', () => {
    for (const text of ['', 'v', 'v0', '-1', 'v1.5', '1e3', 'v9999999999', 'x40']) {
      assert.throws(() => parseVersion(text), { code: 'invalid' }, text);
    }
  });
});

describe('parseCount()', () => {
  it('refuses what is no number of lines', () => {
    assert.equal(parseCount('1500'), 1500);
    for (const text of ['0', '-5', 'many', '1e3', '100001', '']) {
      assert.throws(() => parseCount(text), { code: 'invalid' }, text);
    }
  });
});

describe('joinCommand()', () => {
  it('passes one word on as shell text', () => {
    assert.equal(joinCommand(['env | sort']), 'env | sort');
  });

  it('quotes words that a shell would take apart', () => {
    assert.equal(joinCommand(['sh', '-c', 'echo hi; exit 3']), "sh -c 'echo hi; exit 3'");
    assert.equal(joinCommand(['echo', "it's", '', 'a\nb']), `echo 'it'\\''s' '' 'a\nb'`);
    assert.equal(joinCommand(['env', '|', 'sort']), 'env | sort');
  });
});

describe('textTable()', () => {
  it('aligns columns and shows control characters as text', () => {
    assert.deepEqual(
      textTable(
        ['A', 'LONG'],
        [
          ['x\n', 'y'],
          ['1', ''],
        ],
      ),
      ['A    LONG', 'x\\n  y', '1'],
    );
  });
});

describe('fieldList()', () => {
  it('aligns values', () => {
    assert.deepEqual(fieldList({ A: '1', LONG: '2' }), ['A:    1', 'LONG: 2']);
    assert.deepEqual(fieldList({ A: '1' }), ['A: 1']);
    assert.deepEqual(fieldList({}), []);
  });
});

describe('timeText()', () => {
  it('says when and how long ago', () => {
    const now = new Date('2026-08-12T00:00:00Z');
    assert.equal(timeText(new Date('2026-08-11T23:59:30Z'), now), '2026-08-11 23:59:30 +0000 (~ 30s ago)');
    assert.equal(agoText(3 * 86_400_000), '3d');
    assert.equal(agoText(-5), '0s');
    assert.deepEqual([340, 2100, 184_000].map(durationText), ['340 ms', '2.1 s', '3 min 4 s']);
    const hour = 3_600_000;
    assert.deepEqual([2.5 * hour, 71.99 * hour].map(durationText), ['2 h 30 min', '2 d 23 h']);
  });
});
