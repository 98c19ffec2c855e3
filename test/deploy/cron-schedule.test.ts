import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { nextRun, parseCronJob, parseSchedule } from '../../deploy/cron/schedule.ts';

describe('parseSchedule()', () => {
  for (const [text, schedule] of [
    ['0 3 * * *', '0 3 * * *'],
    ['  */5   *  * * 1-5 ', '*/5 * * * 1-5'],
    ['@daily', '@daily'],
  ] as const) {
    it(`takes ${JSON.stringify(text)}`, () => assert.equal(parseSchedule(text), schedule));
  }

  for (const text of [
    '',
    'daily',
    '* * * *',
    '* * * * * *',
    '61 * * * *',
    '0 0 30 2 *',
    '@reboot',
    '0 3 * * x',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseSchedule(text), {
        code: 'invalid',
        message: /is no schedule: .+"0 3 \* \* \*"/,
      });
    });
  }

  it('knows the next time in UTC', () => {
    const after = new Date('2026-08-10T03:00:00Z');
    assert.equal(nextRun('0 3 * * *', after)?.toISOString(), '2026-08-11T03:00:00.000Z');
  });
});

describe('parseCronJob()', () => {
  it('refuses an unknown policy', () => {
    const job = { schedule: '@daily', command: 'true', concurrency: 'queue' };
    assert.throws(() => parseCronJob(job), { code: 'invalid', message: /"queue" is no concurrency_policy/ });
  });
});
