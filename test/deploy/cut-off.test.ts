import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Activity } from '../../deploy/activity.ts';
import { LeavingApps } from '../../deploy/leaving-apps.ts';
import { AppLogs } from '../../deploy/logs/app-log.ts';
import { KeyedMutex } from '../../deploy/model/mutex.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { NewRelease, Release } from '../../deploy/model/release.ts';
import { ReleaseManager, type ReleaseManagerOptions } from '../../deploy/release-manager.ts';
import { AppStore } from '../../deploy/store/app-store.ts';
import { BuildStore } from '../../deploy/store/build-store.ts';
import { Database } from '../../deploy/store/database.ts';
import { EventStore } from '../../deploy/store/event-store.ts';
import { ReleaseStore } from '../../deploy/store/release-store.ts';

/** Control dies where an end is about to be told. */
const KILL = "CREATE TRIGGER kill BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'killed'); END";

describe('an end and its event, when control dies between them', () => {
  let folder: string;
  let database: Database;
  let apps: AppStore;
  let store: ReleaseStore;
  let logs: AppLogs;
  let releases: ReleaseManager;
  let boot: (commit: () => void) => Promise<void>;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'cut-off-'));
    database = new Database(join(folder, 'paas.db'));
    apps = new AppStore(database);
    apps.create('shop', 'alice');
    store = new ReleaseStore(database);
    logs = new AppLogs(folder);
    store.activate(store.create(NEW));
    boot = async () => {
      database.run(KILL);
      throw new PaasError('invalid', 'web.1 exited with status 1.');
    };
    releases = new ReleaseManager({
      ...{ apps, releases: store, lock: new KeyedMutex(), leaving: new LeavingApps() },
      activity: new Activity(new EventStore(database), logs),
      dynos: {
        replace: (_release: Release, _quantities: object, commit: () => void) => boot(commit),
      },
    } as unknown as ReleaseManagerOptions);
  });
  afterEach(() => {
    logs.close();
    database.close();
    rmSync(folder, { recursive: true });
  });

  const told = (action: string) =>
    new EventStore(database)
      .list('shop', 100)
      .flatMap((event) => (event.action === action ? event.text : []));
  const NEW = {
    ...{ app: 'shop', description: 'Deploy', user: 'alice', commit: undefined, buildId: undefined },
    ...{ image: 'i', processes: { web: 'x' }, config: {}, cron: [], checks: [], hooks: {}, maxParallel: {} },
  } as NewRelease;

  /** As the next control does. */
  function restart(): void {
    database.run('DROP TRIGGER kill');
    releases.endUnfinished(() => false);
  }

  it('the next control tells that a release failed, once', async () => {
    const change = releases.changeConfig('shop', {
      ...{ user: 'alice', description: 'Set A config vars' },
      change: () => ({ A: '1' }),
    });
    await assert.rejects(change, /killed/);
    restart();
    assert.equal(store.find('shop', 2).state, 'failed');
    assert.deepEqual(told('releases:fail'), [
      'Release v2 failed -- The platform was restarted before it served.',
    ]);
    releases.endUnfinished(() => false);
    assert.equal(told('releases:fail').length, 1);
  });

  it('a release that is stopped before it serves says so', async () => {
    const stop = new AbortController();
    store.create(NEW);
    const pending = store.find('shop', 2);
    stop.abort();
    boot = async (commit) => commit();
    const audience = { write: () => {}, signal: stop.signal };
    const commit = () => stop.signal.throwIfAborted();
    await assert.rejects(releases.goLive(pending, { commit, audience }), /serves on: It was stopped\./);
    assert.deepEqual(told('releases:fail'), ['Release v2 failed -- It was stopped.']);
  });

  it('a build has not ended before that is told', () => {
    const builds = new BuildStore(database);
    const { id } = builds.create({ app: 'shop', user: 'alice', commit: 'c1' });
    const end = { state: 'succeeded', release: 1 } as const;
    const tell = () => {
      throw new Error('killed');
    };
    assert.throws(() => builds.finish(id, { end, stages: [], tell }), /killed/);
    assert.equal(builds.find(id).state, 'queued');
  });

  it('nor is a canary given up', () => {
    store.markCanary(store.create(NEW));
    const tell = () => {
      throw new Error('killed');
    };
    assert.throws(() => store.endCanaries('shop', tell), /killed/);
    assert.equal(store.canary('shop')!.version, 2);
  });
});
