import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { etcFiles } from '../../../runtime/containers/etc-files.ts';

describe('etcFiles()', () => {
  const hosts = (hostname: string, domainName = '') => {
    const said = { hostname, domainName, address: '172.30.0.2', extraHosts: ['db:10.0.0.9'], resolvConf: '' };
    return etcFiles(said).hosts!.trimEnd().split('\n');
  };

  it('etcFiles() names a container by its whole name and by the first label of that', () => {
    const own = (...names: [string, string?]) => hosts(...names).at(-2);
    assert.equal(own('web'), '172.30.0.2\tweb');
    assert.equal(own('web', 'example.com'), '172.30.0.2\tweb.example.com web');
    assert.equal(own('web.example.com'), '172.30.0.2\tweb.example.com web');
    assert.equal(own('web.example', 'com'), '172.30.0.2\tweb.example.com web');
  });

  it('etcFiles() names the addresses of IPv6 that Docker does', () => {
    assert.deepEqual(hosts('web').slice(0, 6), [
      '127.0.0.1\tlocalhost',
      '::1\tlocalhost ip6-localhost ip6-loopback',
      'fe00::\tip6-localnet',
      'ff00::\tip6-mcastprefix',
      'ff02::1\tip6-allnodes',
      'ff02::2\tip6-allrouters',
    ]);
    assert.equal(hosts('web').at(-1), '10.0.0.9\tdb');
  });
});
