import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'mocha';
import { TurnEnd } from '../../../server/router/turn-end.ts';

describe('TurnEnd', () => {
  it('ends a turn by a signal in which much was read, once, and no other', async () => {
    const turn = new TurnEnd();
    let signals = 0;
    const count = () => {
      signals += 1;
    };
    process.on('SIGURG', count);
    try {
      for (let i = 0; i < 500; i++) turn.noteRead();
      await nextTurn(turn);
      for (let i = 0; i < 500; i++) turn.noteRead();
      await nextTurn(turn);
      assert.equal(signals, 0);
      const signal = once(process, 'SIGURG');
      for (let i = 0; i < 5000; i++) turn.noteRead();
      await signal;
      await nextTurn(turn);
      assert.equal(signals, 1);
    } finally {
      process.off('SIGURG', count);
    }
  });
});

function nextTurn(turn: TurnEnd): Promise<void> {
  return new Promise((resolve) => turn.tell({ onClose: resolve }));
}
