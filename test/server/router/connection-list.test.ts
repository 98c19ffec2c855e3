import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Connection } from '../../../server/router/connection.ts';
import { ConnectionList } from '../../../server/router/connection-list.ts';

describe('ConnectionList', () => {
  it('keeps the order in which they came, whichever leave', () => {
    const list = new ConnectionList();
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((peer) => list.add(connection(peer)));
    assert.equal(list.remove(b!), true);
    assert.deepEqual([peers(list), list.size], [['a', 'c', 'd'], 3]);
    list.remove(a!);
    list.remove(d!);
    list.add(connection('e'));
    assert.deepEqual([peers(list), list.size], [['c', 'e'], 2]);
    list.remove(c!);
    assert.deepEqual(peers(list), ['e']);
  });

  it('says when one was taken out before', () => {
    const list = new ConnectionList();
    const [first] = [list.add(connection('a')), list.add(connection('b'))];
    assert.deepEqual([list.remove(first), list.remove(first), peers(list)], [true, false, ['b']]);
  });

  it('finds the oldest that is idle', () => {
    const list = new ConnectionList();
    assert.equal(list.oldestIdle(), undefined);
    list.add(connection('a', { isIdle: false }));
    assert.equal(list.oldestIdle(), undefined);
    const places = ['b', 'c'].map((peer) => list.add(connection(peer)));
    assert.equal(list.oldestIdle(), places[0]);
  });

  it('leaves no way from what was taken out to what came later', () => {
    const list = new ConnectionList();
    const [a, b] = ['a', 'b', 'c'].map((peer) => list.add(connection(peer)));
    for (const place of [b!, a!]) {
      list.remove(place);
      assert.deepEqual([place.before, place.after], [undefined, undefined]);
    }
  });
});

function connection(peer: string, { isIdle = true } = {}): Connection {
  const nothing = () => {};
  return { peer, isIdle, isTunnel: false, tick: nothing, leave: nothing, finish: nothing, destroy: nothing };
}

function peers(list: ConnectionList): string[] {
  return list.all().map(({ peer }) => peer);
}
