import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Activity } from '../../deploy/activity.ts';
import { BuildManager, type BuildManagerOptions } from '../../deploy/build-manager.ts';
import { LeavingApps } from '../../deploy/leaving-apps.ts';
import { AppLogs } from '../../deploy/logs/app-log.ts';
import { BuildOutputs } from '../../deploy/queue/build-output.ts';
import type { BuildJob, BuildQueue } from '../../deploy/queue/build-queue.ts';
import type { GitTree } from '../../deploy/receive/git-tree.ts';
import { AppStore } from '../../deploy/store/app-store.ts';
import { BuildStore } from '../../deploy/store/build-store.ts';
import { Database } from '../../deploy/store/database.ts';
import { EventStore } from '../../deploy/store/event-store.ts';
import { until } from '../fixtures/until.ts';

describe('BuildManager, when the disk is full', () => {
  let folder: string;
  let database: Database;
  let store: BuildStore;
  let logs: AppLogs;
  let builds: BuildManager;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'builds-'));
    database = new Database(join(folder, 'paas.db'));
    new AppStore(database).create('shop', 'alice');
    store = new BuildStore(database);
    logs = new AppLogs(join(folder, 'logs'));
    builds = new BuildManager({
      ...{ store, logs, leaving: new LeavingApps(), timeLimit: 60_000, log: () => {} },
      outputs: new BuildOutputs(join(folder, 'outputs')),
      activity: new Activity(new EventStore(database), logs),
      releases: { current: () => undefined },
      recordAgainAfter: 10,
    } as unknown as BuildManagerOptions);
    builds.useQueue({
      submit: ({ id }: BuildJob) => builds.run(id).catch(() => {}),
      ahead: () => [],
      withdraw: () => false,
    } as unknown as BuildQueue);
  });
  afterEach(() => {
    logs.close();
    database.close();
    rmSync(folder, { recursive: true });
  });

  function full(change: string): () => void {
    database.run(
      `CREATE TRIGGER full BEFORE ${change} BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`,
    );
    return () => void database.run('DROP TRIGGER full');
  }

  /** Nothing in it that a buildpack knows. */
  const submit = () => {
    const never = new AbortController().signal;
    return builds.submit({
      ...{ app: 'shop', user: 'alice', write: () => {}, signal: never, replaced: never, onLive: () => {} },
      tree: { commit: 'c0ffee', files: new Map(), close: () => {} } as unknown as GitTree,
    });
  };

  it('ends for those who wait for it, and is recorded when there is room', async () => {
    const free = full('UPDATE OF finished_at ON builds');
    const { id } = await submit();
    let output = '';
    for await (const text of builds.output(id, { follow: true })) output += text;
    assert.match(output, /Push rejected/);
    await builds.cancelAll('shop', 'alice');
    assert.equal(builds.isBuilding, false);
    free();
    await until(() => store.find(id).state === 'failed', { seconds: 5 });
    assert.equal(store.find(id).state, 'failed');
  });

  it('fails where it cannot even begin', async () => {
    full("UPDATE OF state ON builds WHEN new.state = 'building'");
    assert.equal((await submit()).state, 'failed');
  });
});
