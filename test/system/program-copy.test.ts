import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { programFor } from '../../server/host/program-copy.ts';
import { whyNot } from '../e2e/instance.ts';

describe('programFor()', () => {
  let folder: string;
  let checkout: string;
  let copy: string;

  before(function () {
    if (whyNot()) this.skip();
    folder = mkdtempSync('/var/tmp/paas-test-');
    chmodSync(folder, 0o755);
    checkout = join(folder, 'checkout');
    copy = join(folder, 'copy');
    for (const name of [
      'server',
      'deploy',
      'runtime',
      'buildpacks',
      'views',
      'node_modules/used',
      'node_modules/used/include/node',
      'node_modules/tool',
    ]) {
      mkdirSync(join(checkout, name), { recursive: true });
      writeFileSync(join(checkout, name, 'file'), name, { mode: 0o600 });
    }
    writeFileSync(join(checkout, 'package.json'), '{}');
    const packages = { '': {}, 'node_modules/used': {}, 'node_modules/tool': { dev: true } };
    writeFileSync(join(checkout, 'package-lock.json'), JSON.stringify({ packages }));
    writeFileSync(join(checkout, 'node_modules/.package-lock.json'), '{}');
  });
  after(() => folder && rmSync(folder, { recursive: true }));

  it('copies what runs where user paas cannot read the checkout, readable for all', async () => {
    assert.equal(await programFor(checkout, copy), copy);
    assert.equal(readFileSync(join(copy, 'server/file'), 'utf8'), 'server');
    assert.equal(statSync(join(copy, 'server/file')).mode & 0o777, 0o644);
    assert.ok(existsSync(join(copy, 'node_modules/used/file')));
    assert.ok(!existsSync(join(copy, 'node_modules/tool')));
    assert.ok(!existsSync(join(copy, 'node_modules/used/include/node')));
  });

  it('keeps the copy until a source changes', async () => {
    const { ino } = statSync(copy);
    await programFor(checkout, copy);
    assert.equal(statSync(copy).ino, ino);
    writeFileSync(join(checkout, 'server/file'), 'changed', { mode: 0o600 });
    await programFor(checkout, copy);
    assert.equal(readFileSync(join(copy, 'server/file'), 'utf8'), 'changed');
  });

  it('needs no copy where user paas can read everything', async () => {
    for (const name of ['server', 'deploy', 'runtime', 'buildpacks', 'views'])
      chmodSync(join(checkout, name, 'file'), 0o644);
    assert.equal(await programFor(checkout, copy), checkout);
    assert.ok(!existsSync(copy));
  });
});
