import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { forEachLimited } from '../../deploy/model/for-each-limited.ts';

describe('forEachLimited()', () => {
  it('does all, in order, and no more at once than it may', async () => {
    let [now, most] = [0, 0];
    const begun: number[] = [];
    await forEachLimited([1, 2, 3, 4, 5], 2, async (item) => {
      begun.push(item);
      now += 1;
      most = Math.max(most, now);
      await sleep(5);
      now -= 1;
    });
    assert.deepEqual(begun, [1, 2, 3, 4, 5]);
    assert.equal(most, 2);
    await forEachLimited([], 2, () => assert.fail());
  });

  it('begins nothing more after a failure, and throws it', async () => {
    const begun: number[] = [];
    const work = async (item: number) => {
      begun.push(item);
      await sleep(item);
      if (item === 1) throw new Error('one');
    };
    await assert.rejects(forEachLimited([20, 1, 3, 4], 2, work), /one/);
    await sleep(40);
    assert.deepEqual(begun, [20, 1]);
  });
});
