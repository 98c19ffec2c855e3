import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, it } from 'mocha';
import { parseDetachKeys, UntilDetached } from '../../../runtime/containers/detach-keys.ts';

describe('parseDetachKeys()', () => {
  it('reads keys as Docker has them', () => {
    assert.deepEqual(parseDetachKeys(''), [16, 17]);
    assert.deepEqual(parseDetachKeys('ctrl-a,x,ctrl-\\,ctrl-@'), [1, 120, 28, 0]);
  });

  for (const keys of ['ctrl-', 'ctrl-1', 'ab', 'a,,b', ',', 'é', 'ctrl-pp']) {
    it(`refuses "${keys}"`, () => assert.throws(() => parseDetachKeys(keys), { code: 'invalid' }));
  }
});

describe('UntilDetached', () => {
  it('passes on what is typed, also keys of a sequence that is not ended', async () => {
    const typed = new UntilDetached(parseDetachKeys('a,b,c'));
    for (const part of ['x', 'a', 'b', 'ab', 'd', 'aa']) typed.write(part);
    typed.end('z');
    assert.equal(await text(typed), 'xababdaaz');
  });

  it('emits detach at the sequence, in one piece or several, and passes nothing on after it', async () => {
    for (const parts of [['one\x10\x11two'], ['one\x10', '\x11two']]) {
      const typed = new UntilDetached(parseDetachKeys(''));
      const detached = once(typed, 'detach');
      for (const part of parts) typed.write(part);
      await detached;
      typed.end('three');
      assert.equal(await text(typed), 'one');
    }
  });
});
