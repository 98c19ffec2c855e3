import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Demand } from '../../../runtime/containers/demand.ts';

const SECOND = 1000;

function rush(takes: number, options: { every: number }): { demand: Demand; now: number } {
  const demand = new Demand({ least: 8, most: 1000 });
  for (let count = 0; count < takes; count++) demand.note(count * options.every);
  return { demand, now: takes * options.every };
}

describe('Demand', () => {
  it('is the least that there should be while little happens', () => {
    const { demand, now } = rush(200, { every: 10 * SECOND });
    assert.equal(demand.target(now), 8);
  });

  it('is a little more than the last rush, and forgets it within minutes', () => {
    const { demand, now } = rush(500, { every: 1 });
    assert.ok(demand.target(now) > 500 && demand.target(now) < 700, `${demand.target(now)}`);
    assert.ok(demand.target(now + 30 * SECOND) > 500);
    assert.ok(demand.target(now + 600 * SECOND) < 200);
    assert.equal(demand.target(now + 3600 * SECOND), 8);
  });

  it('is never more than the most', () => {
    const { demand, now } = rush(5000, { every: 1 });
    assert.equal(demand.target(now), 1000);
  });
});
