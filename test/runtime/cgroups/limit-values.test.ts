import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { cpuWeight, quotaMicroseconds } from '../../../runtime/cgroups/limit-values.ts';

describe('limit values', () => {
  it('quotaMicroseconds() is a share of the period, and no less than the kernel takes', () => {
    assert.equal(quotaMicroseconds(500_000_000), 50_000);
    assert.equal(quotaMicroseconds(2_000_000_000), 200_000);
    assert.equal(quotaMicroseconds(1), 1000);
    assert.equal(quotaMicroseconds(undefined), undefined);
    assert.equal(quotaMicroseconds(0), undefined);
  });

  it('cpuWeight() maps 2 … 262144 to 1 … 10000', () => {
    assert.deepEqual([2, 1024, 262_144].map(cpuWeight), [1, 39, 10_000]);
  });
});
