import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { AppCatalog, type AppCatalogOptions } from '../../deploy/app-catalog.ts';
import { LeavingApps } from '../../deploy/leaving-apps.ts';
import { AppLogs } from '../../deploy/logs/app-log.ts';
import { KeyedMutex } from '../../deploy/model/mutex.ts';
import { AppStore } from '../../deploy/store/app-store.ts';
import { Database } from '../../deploy/store/database.ts';

describe('AppCatalog', () => {
  const lock = new KeyedMutex();
  let folder: string;
  let database: Database;
  let store: AppStore;
  let logs: AppLogs;
  let catalog: AppCatalog;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'catalog-'));
    database = new Database(join(folder, 'paas.db'));
    store = new AppStore(database);
    logs = new AppLogs(join(folder, 'logs'));
    const nothing = async () => {};
    catalog = new AppCatalog({
      ...{ store, lock, logs, leaving: new LeavingApps() },
      builds: { list: () => [] },
      releases: { current: () => undefined },
      repositories: { remove: nothing },
      dynos: { list: () => [], stopAll: nothing, abandonBoots: nothing },
      activity: { note: () => {}, record: () => {} },
      urlOf: () => '',
      onDestroyed: () => {},
      ...{ removeDependents: nothing, stopRuns: nothing, removeNetwork: nothing, cancelBuilds: nothing },
      publishRoutes: nothing,
    } as unknown as AppCatalogOptions);
    catalog.create('shop', 'alice');
  });
  afterEach(() => {
    logs.close();
    database.close();
    rmSync(folder, { recursive: true });
  });

  it('destroy() spares a new app of the same name', async () => {
    let makeNew = (): void => {};
    const twice = Promise.allSettled([
      catalog.destroy('shop', 'alice').then(() => makeNew()),
      catalog.destroy('shop', 'alice'),
    ]);
    makeNew = () => void catalog.create('shop', 'bob');
    await lock.run('shop', async () => {});
    const [first, second] = await twice;
    assert.deepEqual([first!.status, second!.status], ['fulfilled', 'rejected']);
    assert.equal(store.find('shop').createdBy, 'bob');
  });

  it('a new app begins without the log of an old one, whose last lines came late', async () => {
    store.remove('shop');
    logs.append('shop', { source: 'app', dyno: 'web.1', text: 'secret' });
    catalog.create('shop', 'bob');
    for await (const line of logs.read('shop', { lines: 100 })) assert.doesNotMatch(line.text, /secret/);
  });
});
