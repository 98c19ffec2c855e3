import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Turns } from '../../runtime/turns.ts';

describe('Turns', () => {
  it('lets others have their turn between those of a crowd that work long', async () => {
    const turns = new Turns();
    let others = 0;
    const other = setInterval(() => others++, 0);
    const seen: number[] = [];
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        await turns.next();
        seen.push(others);
        for (const end = performance.now() + 8; performance.now() < end; );
      }),
    );
    clearInterval(other);
    assert.deepEqual(
      seen.map((count, index) => index === 0 || count > seen[index - 1]!),
      [true, true, true, true],
    );
  });

  it('lets a crowd that works for moments begin at once', async () => {
    const turns = new Turns();
    let isNextTurn = false;
    setImmediate(() => {
      isNextTurn = true;
    });
    await Promise.all(Array.from({ length: 100 }, () => turns.next()));
    assert.equal(isNextTurn, false);
  });
});
