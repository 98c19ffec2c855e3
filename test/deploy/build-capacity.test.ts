import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { buildCapacity } from '../../deploy/queue/build-capacity.ts';

const GIGABYTE = 1024 ** 3;

describe('buildCapacity()', () => {
  it('is as many builds as there are cores, if each has a gigabyte of three quarters of the memory', () => {
    for (const [cores, gigabytes, atOnce, each] of [
      [2, 24, 2, 9],
      [8, 4, 3, 1],
      [4, 1, 1, 0.75],
      [1, 0.5, 1, 0.375],
    ] as const) {
      const capacity = buildCapacity({ cores, memory: gigabytes * GIGABYTE });
      assert.deepEqual(capacity, { atOnce, memory: each * GIGABYTE });
    }
  });
});
