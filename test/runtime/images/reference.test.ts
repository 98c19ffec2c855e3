import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { matchesReference, normalizeReference, repositoryOf } from '../../../runtime/images/reference.ts';

describe('normalizeReference()', () => {
  it('normalizeReference() adds a tag and drops the registry of Docker', () => {
    assert.equal(normalizeReference('app'), 'app:latest');
    assert.equal(normalizeReference('host:5000/app'), 'host:5000/app:latest');
    assert.equal(normalizeReference('docker.io/paas/app:v1'), 'paas/app:v1');
    assert.equal(normalizeReference('docker.io/library/app'), 'app:latest');
    assert.equal(repositoryOf('host:5000/app:v1'), 'host:5000/app');
  });

  for (const text of ['', 'A', '../a', 'a//b', 'a:b:c', 'a b', '-a', 'a/', 'a\n', 'x'.repeat(300)]) {
    it(`normalizeReference() refuses ${JSON.stringify(text.slice(0, 10))}`, () => {
      assert.throws(() => normalizeReference(text), { code: 'invalid' });
    });
  }
});

describe('matchesReference()', () => {
  it('matchesReference() knows * within one component', () => {
    assert.ok(matchesReference('paas/app-*', 'paas/app-demo:v1'));
    assert.ok(matchesReference('paas/app-demo:v?', 'paas/app-demo:v1'));
    assert.ok(!matchesReference('paas*', 'paas/app:v1'));
    assert.ok(!matchesReference('paas/app.demo', 'paas/app-demo:v1'));
  });
});
