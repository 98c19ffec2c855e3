import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { containerResolvConf, parseResolvConf } from '../../../../runtime/network/dns/resolv-conf.ts';

const NOTHING = { servers: [], search: [], options: [] };

describe('resolv.conf', () => {
  it('parseResolvConf() reads servers of both kinds, on loopback too', () => {
    const text =
      '# nameserver 1.1.1.1\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\n nameserver 9.9.9.9 ; far\nnameserver x\nsearch a b\noptions edns0 trust-ad\n';
    assert.deepEqual(parseResolvConf(text), {
      servers: ['127.0.0.53', 'fe80::1%eth0', '9.9.9.9'],
      search: ['a', 'b'],
      options: ['edns0', 'trust-ad'],
    });
    assert.deepEqual(parseResolvConf('').servers, ['127.0.0.1']);
  });

  it('containerResolvConf() is the host’s with our server', () => {
    const host = {
      servers: ['10.0.0.2'],
      search: ['corp.example'],
      options: ['edns0', 'ndots:5', 'trust-ad'],
    };
    assert.equal(
      containerResolvConf('169.254.1.1', NOTHING, host),
      'nameserver 169.254.1.1\nsearch corp.example\noptions edns0 ndots:0 timeout:2 attempts:5\n',
    );
  });

  it('containerResolvConf() prefers what the container says', () => {
    const host = { servers: [], search: ['corp.example'], options: ['edns0'] };
    const own = { servers: ['9.9.9.9'], search: ['x.example', 'y.example'], options: ['ndots:2'] };
    assert.equal(
      containerResolvConf('169.254.1.1', own, host),
      'nameserver 169.254.1.1\nsearch x.example y.example\noptions ndots:2 timeout:2 attempts:5\n',
    );
    assert.doesNotMatch(containerResolvConf('169.254.1.1', { ...own, search: ['.'] }, host), /search/);
  });
});
