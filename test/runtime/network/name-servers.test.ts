import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { reachableServers } from '../../../runtime/network/name-servers.ts';

describe('reachableServers()', () => {
  it('takes IPv4 resolvers that are not on loopback', () => {
    const text =
      '# a comment\nnameserver 127.0.0.53\nnameserver 10.0.0.2\nnameserver fe80::1\n  nameserver 9.9.9.9\n';
    assert.deepEqual(reachableServers(text), ['10.0.0.2', '9.9.9.9']);
    assert.deepEqual(reachableServers('nameserver 127.0.0.1\n'), []);
  });
});
