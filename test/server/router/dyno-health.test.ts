import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { DynoHealth } from '../../../server/router/dyno-health.ts';

describe('DynoHealth', () => {
  it('has a dyno avoided that cannot be reached, twice as long each time, at most half a minute', () => {
    const health = new DynoHealth();
    let now = 0;
    const pauses = Array.from({ length: 7 }, () => {
      health.unreachable(now);
      const since = now;
      while (health.isAvoided(now)) now += 500;
      return now - since;
    });
    assert.deepEqual(pauses, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it('has a dyno avoided after five failed requests in a row, not after four', () => {
    const health = new DynoHealth();
    for (let i = 0; i < 4; i++) health.failed(0);
    assert.equal(health.isAvoided(0), false);
    health.answered();
    for (let i = 0; i < 4; i++) health.failed(0);
    assert.equal(health.isAvoided(0), false);
    health.failed(0);
    assert.equal(health.isAvoided(999), true);
    assert.equal(health.isAvoided(1000), false);
  });

  it('forgets all of it with an answer', () => {
    const health = new DynoHealth();
    health.unreachable(0);
    health.unreachable(1000);
    health.answered();
    health.unreachable(10_000);
    assert.equal(health.isAvoided(11_000), false);
  });
});
