import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { LaunchSpec } from '../../../runtime/containers/kernel.ts';
import { fits, isMissing, ReadyRoots, suits } from '../../../runtime/containers/ready-roots.ts';

describe('ReadyRoots', () => {
  let root: string;
  let roots: ReadyRoots;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'paas-roots-'));
    roots = make(join(root, 'roots'));
  });
  afterEach(async () => {
    await roots.close();
    rmSync(root, { recursive: true, force: true });
  });

  function make(folder: string): ReadyRoots {
    return new ReadyRoots(folder, {
      execute: async ([program, ...args]) => {
        execFileSync(program!, args);
      },
      userNamespace: { foldersOf: (paths) => paths },
    });
  }

  const container = (rootfs: Partial<LaunchSpec['rootfs']> = {}, userNamespace = false) =>
    ({
      rootfs: { ...ROOTFS, upper: join(root, 'upper'), ...rootfs },
      ...{ args: ['app'], env: ['PATH=/bin:sbin'], userNamespace },
    }) as LaunchSpec;

  it('are of the image that was started last, if its container could have had one', () => {
    roots.open();
    assert.equal(roots.begin(), undefined);
    roots.expect(container({ volatile: true }));
    roots.expect(container({ disk: { image: '/d', folder: '/f' } }));
    assert.equal(roots.begin(), undefined);
    roots.expect(container());
    const ready = roots.begin()!;
    assert.deepEqual(ready.lower, ROOTFS.lower);
    assert.match(ready.upper.slice(root.length), /^\/roots\/[0-9a-f]{32}\.upper$/);
    assert.notEqual(roots.begin()?.upper, ready.upper);
    assert.ok(ready.lookups.includes('/bin/app') && !ready.lookups.includes('sbin/app'));
    roots.expect(container({ lower: ['/other'] }));
    assert.deepEqual(roots.begin()?.lower, ['/other']);
    roots.forget();
    assert.equal(roots.begin(), undefined);
    for (const other of [{ volatile: true }, { disk: { image: '/d', folder: '/f' } }]) {
      roots.expect(container());
      roots.expect(container(other));
      assert.equal(roots.begin(), undefined);
    }
  });

  it('look for the program in the first folders of its PATH alone', () => {
    roots.open();
    const folders = Array.from({ length: 100 }, (_, at) => `/folder-${at}`);
    roots.expect({ ...container(), env: [`PATH=${folders.join(':')}`] });
    const { lookups } = roots.begin()!;
    assert.ok(lookups.includes('/folder-0/app'));
    assert.ok(lookups.length < 30);
  });

  it('are not expected any more when a layer is gone', () => {
    roots.open();
    const lower = [join(root, 'top'), join(root, 'base')];
    for (const folder of lower) mkdirSync(folder);
    roots.expect(container({ lower }));
    roots.forgetMissing();
    const ready = roots.begin()!;
    assert.equal(isMissing(ready), false);
    rmSync(lower[1]!, { recursive: true });
    assert.equal(isMissing(ready), true);
    roots.forgetMissing();
    assert.equal(roots.begin(), undefined);
  });

  it('are for containers that can have them, and none for the others', () => {
    roots.open();
    roots.expect(container());
    const ready = roots.begin()!;
    const sized = container({ disk: { image: '/d', folder: '/f' } });
    assert.equal(suits(ready, container()), true);
    assert.equal(suits(ready, container({ lower: ['/other'] })), false);
    assert.equal(suits(undefined, container()), false);
    assert.equal(suits(ready, sized), false);
    assert.equal(suits(undefined, sized), true);
  });

  it('fit a container of the same image that has no files yet, with a user namespace or without as they were made', () => {
    roots.open();
    roots.expect(container());
    const ready = roots.begin()!;
    assert.equal(fits(ready, container()), true);
    assert.equal(fits(ready, container({ lower: [...ROOTFS.lower].reverse() })), false);
    assert.equal(fits(ready, container({ volatile: true })), false);
    assert.equal(fits(ready, container({ disk: { image: '/d', folder: '/f' } })), false);
    assert.equal(fits(ready, container({}, true)), false);
    roots.expect(container({}, true));
    const mapped = roots.begin()!;
    assert.deepEqual(mapped.mappedFolders, [...ROOTFS.lower, join(root, 'roots')]);
    assert.equal(fits(mapped, container({}, true)), true);
    assert.equal(fits(mapped, container()), false);
    mkdirSync(join(root, 'upper'));
    assert.equal(fits(ready, container()), false);
  });

  it('leave nothing of those that nobody had, nor of an earlier runtime’s', async () => {
    mkdirSync(join(root, 'roots', 'old.upper'), { recursive: true });
    roots.open();
    roots.expect(container());
    const ready = roots.begin()!;
    for (const folder of [ready.upper, join(ready.work, 'work')]) mkdirSync(folder, { recursive: true });
    roots.discard(ready);
    await roots.close();
    assert.deepEqual(readdirSync(join(root, 'roots')), ['trash']);
    assert.deepEqual(readdirSync(join(root, 'roots', 'trash')), []);
  });

  it('are none where their folder cannot be made', () => {
    writeFileSync(join(root, 'file'), '');
    const none = make(join(root, 'file', 'roots'));
    none.open();
    none.expect(container());
    assert.equal(none.begin(), undefined);
    assert.ok(!existsSync(join(root, 'file', 'roots')));
  });
});

const ROOTFS: LaunchSpec['rootfs'] = {
  lower: ['/layers/top', '/layers/base'],
  ...{ upper: '', work: '', volatile: false, disk: undefined },
};
