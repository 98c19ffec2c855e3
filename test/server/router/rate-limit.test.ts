import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { RateLimit } from '../../../server/router/rate-limit.ts';

const TEN_A_SECOND = { requests: 10, milliseconds: 1000, burst: 3 };

describe('RateLimit.take()', () => {
  it('lets a burst through, then an even pace, and says how long to wait', () => {
    const limit = new RateLimit(TEN_A_SECOND);
    assert.deepEqual(
      [0, 0, 0, 0].map((now) => limit.take('a', now)),
      [0, 0, 0, 100],
    );
    assert.equal(limit.take('a', 60), 40);
    assert.equal(limit.take('a', 100), 0);
    assert.equal(limit.take('a', 100), 100);
  });

  it('counts as many as it says over a long time, however often it is asked', () => {
    const limit = new RateLimit(TEN_A_SECOND);
    let taken = 0;
    for (let now = 0; now < 60_000; now += 7) if (limit.take('a', now) === 0) taken++;
    assert.ok(Math.abs(taken - 603) <= 1, `${taken}`);
  });

  it('counts each client for itself', () => {
    const limit = new RateLimit({ ...TEN_A_SECOND, burst: 1 });
    assert.equal(limit.take('a', 0), 0);
    assert.equal(limit.take('b', 0), 0);
    assert.equal(limit.take('a', 0), 100);
  });

  it('remembers so many clients and no more, and of those not the ones that are back in pace', () => {
    const limit = new RateLimit({ ...TEN_A_SECOND, burst: 1 }, { most: 100 });
    for (let i = 0; i < 100; i++) limit.take(`early ${i}`, 0);
    limit.take('late', 90);
    for (let i = 0; i < 50; i++) limit.take(`other ${i}`, 150);
    assert.ok(limit.take('late', 150) > 0);
    assert.equal(limit.take('early 1', 150), 0);
    for (let i = 0; i < 1000; i++) limit.take(`flood ${i}`, 160);
    assert.ok(limit.size <= 100, `${limit.size}`);
  });
});
