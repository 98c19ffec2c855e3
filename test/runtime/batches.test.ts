import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Batches } from '../../runtime/batches.ts';

describe('Batches', () => {
  /** What was done, batch by batch; `work` may fail for some. */
  function recording(work: (name: string) => void = () => {}) {
    const done: string[][] = [];
    const firsts: boolean[] = [];
    const batches = new Batches({
      gather: async (isFirst) => firsts.push(isFirst),
      most: 2,
      work: (names) => {
        done.push(names);
        return Promise.allSettled(names.map(async (name) => work(name)));
      },
    });
    return { batches, done, firsts };
  }

  it('does what came together some at a time, and each once', async () => {
    const { batches, done, firsts } = recording();
    await Promise.all(['a', 'b', 'a', 'c'].map((name) => batches.add(name)));
    assert.deepEqual(done, [['a', 'b'], ['c']]);
    assert.deepEqual(firsts, [true, false]);
    await batches.add('a');
    assert.deepEqual(done.at(-1), ['a']);
    assert.equal(firsts.at(-1), true);
  });

  it('tells each what became of it', async () => {
    const { batches } = recording((name) => {
      if (name === 'b') throw new Error('not b');
    });
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => batches.add(name)));
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
  });
});
