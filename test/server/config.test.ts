import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseConfig } from '../../server/config.ts';

describe('parseConfig()', () => {
  const limit = (value: string) => parseConfig({ PAAS_DISK_LIMIT: value }).diskLimit;

  it('reads the disk limit in megabytes or gigabytes, 0 for none', () => {
    assert.equal(parseConfig({}).diskLimit, 10 * 1024 ** 3);
    assert.deepEqual([limit('64M'), limit('2G'), limit('0')], [64 * 1024 ** 2, 2 * 1024 ** 3, 0]);
  });

  for (const value of ['1M', '2', '2g', '1e3G', '9999G', '-1G', 'x']) {
    it(`refuses the disk limit "${value}"`, () => assert.throws(() => limit(value), /PAAS_DISK_LIMIT/));
  }

  it('asks a certificate authority only where an address is set', () => {
    const acme = (email?: string, directory?: string) =>
      parseConfig({ PAAS_ACME_EMAIL: email, PAAS_ACME_DIRECTORY: directory }).acme;
    assert.equal(acme(), undefined);
    assert.equal(acme(undefined, 'https://ca.example.com/directory'), undefined);
    assert.equal(acme('ops@example.com', 'off'), undefined);
    assert.equal(acme('ops@example.com')?.directory, 'https://acme-v02.api.letsencrypt.org/directory');
    assert.ok(acme('ops@example.com', 'http://127.0.0.1:14000/directory'));
    for (const email of ['ops', 'a b@example.com', 'a@b,c@d', 'a@b?cc=x'])
      assert.throws(() => acme(email), /PAAS_ACME_EMAIL/, email);
    for (const directory of ['http://ca.example.com/', 'ftp://127.0.0.1/', 'x'])
      assert.throws(() => acme('ops@example.com', directory), /PAAS_ACME_DIRECTORY/, directory);
  });
});
