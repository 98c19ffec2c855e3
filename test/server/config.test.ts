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
});
