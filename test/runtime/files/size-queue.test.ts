import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { SizeQueue } from '../../../runtime/files/size-queue.ts';

describe('SizeQueue', () => {
  it('shares one walk among those that ask in the same turn, and the next among those that ask meanwhile', async () => {
    const walks: string[][] = [];
    const sizes = new SizeQueue({
      async sizes(paths) {
        walks.push(paths);
        await new Promise((resolve) => setTimeout(resolve, 5));
        return paths.map((path) => path.length);
      },
    });
    const first = [sizes.of('a'), sizes.of('bb')];
    await Promise.resolve().then(() => undefined);
    const later = [sizes.of('ccc'), sizes.of('dddd')];
    assert.deepEqual(await Promise.all([...first, ...later]), [1, 2, 3, 4]);
    assert.deepEqual(walks, [
      ['a', 'bb'],
      ['ccc', 'dddd'],
    ]);
  });

  it('tells all that share a walk of its failure, and walks again for the next', async () => {
    let walks = 0;
    const sizes = new SizeQueue({
      async sizes(paths) {
        if (++walks === 1) throw new Error('broken off');
        return paths.map(() => 7);
      },
    });
    const failing = [sizes.of('a'), sizes.of('b')];
    for (const one of failing) await assert.rejects(one, /broken off/);
    assert.equal(await sizes.of('a'), 7);
  });
});
