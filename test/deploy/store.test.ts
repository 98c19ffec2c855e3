import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { SshKeys } from '../../deploy/access/keys.ts';
import { DashboardSessions } from '../../deploy/access/sessions.ts';
import { AccessStore } from '../../deploy/store/access-store.ts';
import { AppStore } from '../../deploy/store/app-store.ts';
import { BuildStore } from '../../deploy/store/build-store.ts';
import { Database } from '../../deploy/store/database.ts';
import { DomainStore } from '../../deploy/store/domain-store.ts';
import { ReleaseStore } from '../../deploy/store/release-store.ts';
import { VisitorStore } from '../../deploy/store/visitor-store.ts';

const wire = (byte: number) =>
  Buffer.concat([
    Buffer.from([0, 0, 0, 11]),
    Buffer.from('ssh-ed25519'),
    Buffer.from([0, 0, 0, 32]),
    Buffer.alloc(32, byte),
  ]);
const publicKey = (byte: number) => `ssh-ed25519 ${wire(byte).toString('base64')} key ${byte}`;

describe('the store', () => {
  let folder: string;
  let database: Database;
  let apps: AppStore;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'paas-store-'));
    database = new Database(join(folder, 'paas.db'));
    apps = new AppStore(database);
    apps.create('shop', 'alice');
  });

  afterEach(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });

  const release = (config: Record<string, string> = {}) => ({
    app: 'shop',
    description: 'Deploy',
    user: 'alice',
    commit: undefined,
    buildId: undefined,
    image: 'sha256:1',
    processes: { web: 'node .' },
    config,
    cron: [],
    checks: [],
    hooks: {},
    maxParallel: {},
  });

  it('Database keeps everything when it is opened again', () => {
    apps.replaceConfig('shop', { A: 'x=1\n"y"' });
    database.close();
    database = new Database(join(folder, 'paas.db'));
    assert.deepEqual(new AppStore(database).config('shop'), { A: 'x=1\n"y"' });
  });

  it('Database.transaction() takes everything back when one part fails', () => {
    assert.throws(() =>
      database.transaction(() => {
        apps.setCurrentRelease('shop', 7);
        throw new Error('no');
      }),
    );
    assert.equal(apps.find('shop').currentRelease, undefined);
  });

  it('AppStore.create() refuses a taken name, find() an unknown one', () => {
    assert.throws(() => apps.create('shop', 'bob'), { code: 'conflict' });
    assert.throws(() => apps.find('nope'), { code: 'not_found' });
  });

  it('ReleaseStore numbers releases per app, and activate() moves the pointer', () => {
    const releases = new ReleaseStore(database);
    const first = releases.create(release({ A: '1' }));
    const second = releases.create(release());
    assert.deepEqual([first.version, second.version], [1, 2]);
    releases.activate(first);
    assert.equal(apps.find('shop').currentRelease, 1);
    assert.deepEqual(releases.find('shop', 1).config, { A: '1' });
    releases.fail(first, 'late');
    for (const release of releases.pending()) releases.fail(release, 'late');
    assert.deepEqual(
      releases.list('shop').map(({ version, state }) => [version, state]),
      [
        [2, 'failed'],
        [1, 'succeeded'],
      ],
    );
  });

  it('BuildStore.finish() lets the first end count, unfinished() lists the rest', () => {
    const builds = new BuildStore(database);
    const one = builds.create({ app: 'shop', user: 'alice', commit: 'c1' });
    const two = builds.create({ app: 'shop', user: 'alice', commit: 'c2' });
    let told = 0;
    const tell = () => void told++;
    const stages = [{ name: 'boot', milliseconds: 5 }];
    builds.finish(one.id, { end: { state: 'succeeded', release: 1 }, stages, tell });
    builds.finish(one.id, { end: { state: 'failed', reason: 'late' }, stages: [], tell });
    assert.equal(told, 1);
    assert.deepEqual(
      builds.unfinished().map((build) => build.id),
      [two.id],
    );
    assert.equal(builds.find(one.id).state, 'succeeded');
  });

  it('ReleaseStore.activate() moves the pointer and what goes with it, or nothing', () => {
    const releases = new ReleaseStore(database);
    const made = releases.create({ ...release(), buildId: 7 });
    const commit = () => {
      apps.replaceConfig('shop', { A: '1' });
      throw new Error('cut off');
    };
    assert.throws(() => releases.activate(made, commit), /cut off/);
    assert.deepEqual(apps.config('shop'), {});
    assert.equal(apps.find('shop').currentRelease, undefined);
    assert.equal(releases.ofBuild('shop', 7), undefined);
    releases.activate(made, () => apps.replaceConfig('shop', { A: '2' }));
    assert.deepEqual(apps.config('shop'), { A: '2' });
    assert.equal(releases.ofBuild('shop', 7)!.version, 1);
  });

  it('ReleaseStore.ofBuild() leaves out what was promoted to another app', () => {
    const releases = new ReleaseStore(database);
    apps.create('live', 'alice');
    releases.activate(releases.create({ ...release(), buildId: 6 }));
    releases.activate(releases.create({ ...release(), buildId: 7 }));
    releases.activate(releases.create({ ...release(), app: 'live', buildId: 7 }));
    assert.equal(releases.ofBuild('shop', 7)!.version, 2);
  });

  it('AppStore.remove() takes all of an app with it', () => {
    const domains = new DomainStore(database);
    const visitors = new VisitorStore(database);
    new ReleaseStore(database).create(release());
    new BuildStore(database).create({ app: 'shop', user: 'alice', commit: 'c' });
    const place = { hostname: 'www.example.com', path: '' };
    domains.add({ ...place, app: 'shop', strip: false, passthrough: undefined, redirect: undefined });
    visitors.set('shop', { sticky: true });
    apps.remove('shop');
    assert.equal(domains.find(place), undefined);
    assert.deepEqual(visitors.all(), new Map());
    assert.deepEqual(new BuildStore(database).list('shop'), []);
    apps.create('shop', 'bob');
    assert.equal(new ReleaseStore(database).create(release()).version, 1);
  });

  describe('access', () => {
    let keys: SshKeys;
    let sessions: DashboardSessions;

    beforeEach(() => {
      const store = new AccessStore(database);
      keys = new SshKeys(store, { record() {} });
      sessions = new DashboardSessions(store);
      keys.add('alice', publicKey(1), 'root');
    });

    it('SshKeys.authenticate() knows a key by its content', () => {
      assert.equal(keys.authenticate(wire(1))?.user, 'alice');
      assert.equal(keys.authenticate(wire(2)), undefined);
    });

    it('SshKeys.add() refuses a key that is there, remove() the last one', () => {
      assert.throws(() => keys.add('bob', publicKey(1), 'root'), { code: 'conflict' });
      assert.throws(() => keys.remove('alice', 'root'), { code: 'conflict' });
    });

    it('DashboardSessions lets a link in once, and ends the session with the key', () => {
      const { fingerprint } = keys.list()[0]!;
      const token = sessions.createLoginToken('alice', fingerprint);
      assert.equal(sessions.peekLoginToken(token)?.user, 'alice');
      const entered = sessions.redeemLoginToken(token)!;
      assert.equal(sessions.redeemLoginToken(token), undefined);
      assert.equal(sessions.find(entered.id)?.user, 'alice');
      keys.add('bob', publicKey(2), 'root');
      keys.remove('alice', 'root');
      assert.equal(sessions.find(entered.id), undefined);
    });

    it('keeps neither tokens nor session ids as they are', () => {
      const token = sessions.createLoginToken('alice', keys.list()[0]!.fingerprint);
      const { id } = sessions.redeemLoginToken(token)!;
      const rows = JSON.stringify([
        database.all('SELECT * FROM sessions'),
        database.all('SELECT * FROM login_tokens'),
      ]);
      assert.ok(!rows.includes(id) && !rows.includes(token));
    });
  });
});
