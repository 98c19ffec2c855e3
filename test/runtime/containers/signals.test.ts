import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseSignal } from '../../../runtime/containers/signals.ts';

describe('parseSignal()', () => {
  it('knows names with and without SIG, and numbers', () => {
    const texts = ['SIGTERM', 'term', '15', 'SIGWINCH', 'quit'];
    assert.deepEqual(texts.map(parseSignal), [15, 15, 15, 28, 3]);
  });

  it('knows real-time signals, by which systemd ends', () => {
    const texts = ['SIGRTMIN', 'SIGRTMIN+3', 'rtmin+15', 'RTMAX-14', 'SIGRTMAX', '64'];
    assert.deepEqual(texts.map(parseSignal), [34, 37, 49, 50, 64, 64]);
  });

  it('refuses what is none', () => {
    const wrong = [
      '',
      '0',
      '65',
      'SIGNONE',
      'RTMIN-1',
      'RTMAX+1',
      'RTMIN+31',
      'RTMAX-31',
      'RTMIN+',
      'constructor',
    ];
    for (const text of wrong) assert.throws(() => parseSignal(text), { code: 'invalid' }, text);
  });
});
