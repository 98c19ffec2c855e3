import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseForwards } from '../../../runtime/api/forwards.ts';

describe('parseForwards()', () => {
  const target = { Container: 'c', Port: 5432 };
  const forward = { Protocol: 'tcp', Port: 5432, Targets: [target] };

  it('takes ports with their targets, or none', () => {
    assert.deepEqual(parseForwards({ Forwards: [forward, { ...forward, Protocol: 'udp', Targets: [] }] }), [
      { protocol: 'tcp', hostPort: 5432, targets: [{ container: 'c', port: 5432 }] },
      { protocol: 'udp', hostPort: 5432, targets: [] },
    ]);
    assert.deepEqual(parseForwards({}), []);
  });

  it('refuses what is none', () => {
    for (const wrong of [
      [],
      { Forwards: {} },
      { Forwards: [forward, forward] },
      { Forwards: [{ ...forward, Protocol: 'sctp' }] },
      { Forwards: [{ ...forward, Port: 0 }] },
      { Forwards: [{ ...forward, Port: 65_536 }] },
      { Forwards: [{ ...forward, Port: '80' }] },
      { Forwards: [{ ...forward, Targets: [{ ...target, Port: -1 }] }] },
      { Forwards: [{ ...forward, Targets: [{ ...target, Container: 1 }] }] },
    ]) {
      assert.throws(() => parseForwards(wrong), { code: 'invalid' }, JSON.stringify(wrong));
    }
  });
});
