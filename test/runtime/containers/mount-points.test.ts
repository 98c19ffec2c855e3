import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { EventLog } from '../../../runtime/containers/events.ts';
import { type MountRequest, makeMounts } from '../../../runtime/containers/mount-points.ts';
import { parseMountRequests } from '../../../runtime/containers/request/mounts-request.ts';
import { RequestFields } from '../../../runtime/containers/request-fields.ts';
import { Trash } from '../../../runtime/trash.ts';
import { VolumeStore } from '../../../runtime/volumes/volume-store.ts';

describe('makeMounts()', () => {
  let folder: string;
  let volumes: VolumeStore;
  const trashes: Trash[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'paas-mounts-'));
    volumes = open();
  });
  afterEach(async () => {
    // It looks into its folder some time after something was discarded.
    await Promise.all(trashes.splice(0).map((trash) => trash.emptied()));
    rmSync(folder, { recursive: true });
  });

  function open(): VolumeStore {
    const trash = new Trash(join(folder, 'trash'), async () => {});
    trash.open();
    trashes.push(trash);
    const paths = { volumes: join(folder, 'volumes'), records: join(folder, 'records') };
    const store = new VolumeStore(paths, { trash, events: new EventLog() });
    store.open();
    return store;
  }

  function make(host: object, folders: string[] = [], access: 'root' | 'platform' = 'root') {
    const mounts = parseMountRequests(new RequestFields(host, 'HostConfig'));
    const context = { volumes, access, refusedSources: ['/var/lib/paas', '/run/paas'] };
    return makeMounts({ mounts, folders, tmpfs: [] }, context);
  }

  it('makeMounts() reads binds, mounts, and folders that an image wants on a volume', () => {
    const made = make(
      {
        Binds: ['data:/data:ro', '/srv/:/srv', 'cache:/cache:nocopy,z'],
        Mounts: [
          { Type: 'volume', Source: 'logs', Target: '/logs', VolumeOptions: { Labels: { a: 'b' } } },
          { Type: 'bind', Source: '/etc/ssl', Target: '/ssl', ReadOnly: true },
          { Type: 'volume', Target: '/scratch' },
          { Type: 'tmpfs', Target: '/memory' },
        ],
      },
      ['/data', '/own'],
    );
    const shown = made.map((mount) => [
      mount.target,
      mount.type === 'bind' ? mount.source : mount.name,
      mount.readOnly,
    ]);
    assert.deepEqual(shown.slice(0, 5), [
      ['/data', 'data', true],
      ['/srv', '/srv', false],
      ['/cache', 'cache', false],
      ['/logs', 'logs', false],
      ['/ssl', '/etc/ssl', true],
    ]);
    const anonymous = made.filter((mount) => mount.type === 'volume' && mount.anonymous);
    assert.deepEqual(
      anonymous.map(({ target }) => target),
      ['/scratch', '/own'],
    );
    assert.ok(made[2]?.type === 'volume' && made[2].noCopy);
    assert.deepEqual(volumes.find('logs', 'root').labels, { a: 'b' });
    assert.equal(volumes.list('root').length, 5);
  });

  it('makeMounts() refuses what would hide the kernel’s folders or give the host away', () => {
    for (const target of ['/', '//', '/proc', '/proc/1', '/sys/fs', '//dev', '/a/../proc', 'data']) {
      assert.throws(
        () => make({ Mounts: [{ Type: 'volume', Source: 'x', Target: target }] }),
        { code: 'invalid' },
        target,
      );
      assert.throws(() => make({}, [target]), { code: 'invalid' }, target);
    }
    const sources = [
      '/',
      '/proc',
      '/proc/1/root',
      '/sys',
      '/dev/sda',
      '/var',
      '/var/lib/paas',
      '/var/lib/paas/volumes/x',
      '/run/paas/docker.sock',
    ];
    for (const source of sources) {
      assert.throws(() => make({ Binds: [`${source}:/x`] }), { code: 'forbidden' }, source);
      assert.throws(() => make({ Mounts: [{ Type: 'bind', Source: source, Target: '/x' }] }), {
        code: 'forbidden',
      });
    }
    assert.equal(make({ Binds: ['/var/libx:/x'] }).length, 1);
  });

  it('makeMounts() refuses the same place twice, and what it does not know', () => {
    assert.throws(() => make({ Binds: ['a:/x', 'b:/x/'] }), /Duplicate mount point/);
    const wrong: object[] = [
      { Type: 'cluster', Source: 'a', Target: '/x' },
      { Type: 'bind', Source: 'a', Target: '/x' },
      { Type: 'bind', Source: '/srv', Target: '/x', BindOptions: { Propagation: 'rshared' } },
      { Type: 'volume', Source: '../a', Target: '/x' },
      { Type: 'volume', Source: 'a', Target: '/x', VolumeOptions: { DriverConfig: { Name: 'nfs' } } },
      { Type: 'volume', Source: 'a', Target: '/x', VolumeOptions: { Subpath: 'b' } },
    ];
    for (const mount of wrong) assert.throws(() => make({ Mounts: [mount] }), { code: 'invalid' });
  });

  it('makeMounts() refuses more than a first process can keep, before any is made', () => {
    const binds = (count: number) => Array.from({ length: count }, (_, index) => `v${index}:/v${index}`);
    assert.throws(() => make({ Binds: binds(201) }), /at most/);
    assert.equal(volumes.list('root').length, 0);
    assert.equal(make({ Binds: binds(200) }).length, 200);
  });

  it('the platform neither sees nor gets a volume that root made', () => {
    make({ Binds: ['secret:/x'] });
    assert.throws(() => make({ Binds: ['secret:/x'] }, [], 'platform'), { code: 'conflict' });
    assert.throws(() => volumes.find('secret', 'platform'), { code: 'not_found' });
    make({ Binds: ['apps:/x'] }, [], 'platform');
    assert.deepEqual(
      volumes.list('platform').map(({ name }) => name),
      ['apps'],
    );
    assert.equal(make({ Binds: ['apps:/x'] } satisfies { Binds: string[] }).length, 1);
  });

  it('volumes are known to a later process, and folders without a record, too', () => {
    const request: MountRequest = { type: 'volume', name: 'a', target: '/a', readOnly: false, noCopy: false };
    makeMounts(
      { mounts: [request], folders: [], tmpfs: [] },
      { volumes, access: 'root', refusedSources: [] },
    );
    rmSync(join(folder, 'records', 'a.json'));
    make({ Binds: ['b:/b'] });
    const later = open();
    assert.deepEqual(
      later.list('root').map(({ name, origin, fresh }) => [name, origin, fresh]),
      [
        ['a', 'platform', false],
        ['b', 'root', true],
      ],
    );
    later.remove(later.find('a', 'platform'));
    assert.deepEqual(
      open()
        .list('root')
        .map(({ name }) => name),
      ['b'],
    );
  });
});
