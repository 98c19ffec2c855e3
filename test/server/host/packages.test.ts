import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { neededPackages } from '../../../server/host/packages.ts';

describe('neededPackages()', () => {
  it('brings the programs of other packages that a started platform runs', () => {
    const files = neededPackages('start', { distribution: 'debian', redis: true }).flatMap(
      (needed) => needed.files,
    );
    for (const program of [
      '/usr/bin/git',
      '/usr/bin/redis-server',
      '/usr/sbin/nft',
      '/sbin/mke2fs',
      '/sbin/e2fsck',
    ])
      assert.ok(files.includes(program), program);
  });

  it('leaves Redis out for who has another', () => {
    const names = neededPackages('start', { distribution: 'debian', redis: false }).map(({ name }) => name);
    assert.ok(!names.includes('redis-server'));
  });
});
