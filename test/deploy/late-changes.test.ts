import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { AppPorts, type AppPortsOptions } from '../../deploy/app-ports.ts';
import { Formations, type FormationsOptions } from '../../deploy/formation/formations.ts';
import { AppLimits, type AppLimitsOptions } from '../../deploy/formation/limits.ts';
import { KeyedMutex } from '../../deploy/model/mutex.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { AppPipelines, type AppPipelinesOptions } from '../../deploy/pipelines.ts';
import { AppStore } from '../../deploy/store/app-store.ts';
import { Database } from '../../deploy/store/database.ts';
import { PipelineStore } from '../../deploy/store/pipeline-store.ts';
import { PortStore } from '../../deploy/store/port-store.ts';
import { ReleaseStore } from '../../deploy/store/release-store.ts';

describe('changes of an app', () => {
  let folder: string;
  let database: Database;
  let store: AppStore;
  const lock = new KeyedMutex();
  const events: string[] = [];
  const activity = { note: ({ text }: { text: string }) => void events.push(text) };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'changes-'));
    database = new Database(join(folder, 'paas.db'));
    store = new AppStore(database);
    for (const app of ['shop', 'staging']) store.create(app, 'alice');
    events.length = 0;
  });
  afterEach(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });

  /** Begins a change that has to wait until the app is gone. */
  async function afterRemoval(change: () => Promise<unknown>): Promise<void> {
    const removal = lock.run('shop', async () => {
      await new Promise((resolve) => setImmediate(resolve));
      store.remove('shop');
    });
    const changed = assert.rejects(change(), { name: 'PaasError', code: 'not_found' });
    await Promise.all([removal, changed]);
  }

  it('limits:set and limits:clear say when it was destroyed while they waited', async () => {
    const limits = new AppLimits({
      ...{ store, lock, activity },
      releases: { current: () => undefined },
      dynos: { list: () => [] },
    } as unknown as AppLimitsOptions);
    await afterRemoval(() => limits.set('shop', 'web', { cpu: 1 }, 'alice'));
    store.create('shop', 'alice');
    await afterRemoval(() => limits.clear('shop', 'web', 'alice'));
  });

  it('limits:clear says which types there are, and clears those of one that is gone', async () => {
    const limits = new AppLimits({
      ...{ store, lock, activity },
      releases: { current: () => ({}), quantities: () => ({ web: 1, worker: 1 }) },
      dynos: { list: () => [] },
    } as unknown as AppLimitsOptions);
    const unknown = {
      code: 'invalid',
      message: 'There is no process type "old". The app has: web, worker, run.',
    };
    await assert.rejects(limits.clear('shop', 'old', 'alice'), unknown);
    assert.deepEqual(events, []);
    store.setLimits('shop', 'old', { cpu: 1 });
    await limits.clear('shop', 'old', 'alice');
    await assert.rejects(limits.clear('shop', 'old', 'alice'), unknown);
  });

  it('a port cannot lead to the release command, which is no dyno’s', async () => {
    const ports = new AppPorts({
      store,
      ports: new PortStore(database),
      releases: {
        current: () => ({ processes: { web: 'node .', release: 'npm run migrate' } }),
        quantities: () => ({ web: 1 }),
      },
    } as unknown as AppPortsOptions);
    await assert.rejects(
      ports.add('shop', { protocol: 'tcp', port: 7000, type: 'release', target: 7 }, 'alice'),
      { code: 'invalid', message: 'There is no process type "release". The app has: web.' },
    );
  });

  it('promote says when it was destroyed while it waited', async () => {
    const releases = new ReleaseStore(database);
    const release = {
      ...{ app: 'staging', description: 'Deploy', user: 'alice', commit: undefined, buildId: undefined },
      ...{ image: 'sha256:1', processes: { web: 'node .' }, config: {}, cron: [], checks: [], hooks: {} },
      maxParallel: {},
    };
    const current = releases.create(release);
    const pipelines = new AppPipelines({
      ...{ apps: store, store: new PipelineStore(database), lock, activity },
      releases: { current: () => current, create: releases.create.bind(releases) },
    } as unknown as AppPipelinesOptions);
    pipelines.add('line', 'staging', 'staging', 'alice');
    pipelines.add('line', 'shop', 'production', 'alice');
    const { signal } = new AbortController();
    await afterRemoval(() =>
      pipelines.promote('staging', { to: 'shop', user: 'alice', write: () => {}, signal }),
    );
  });

  it('promote says which config vars the target lacks where the code does not come up there', async () => {
    const releases = new ReleaseStore(database);
    const source = { app: 'staging', version: 3, image: 'sha256:1', config: { KEY: '1', A: '1' } };
    store.replaceConfig('shop', { A: '2' });
    const pipelines = new AppPipelines({
      ...{ apps: store, store: new PipelineStore(database), lock, activity },
      releases: {
        current: () => ({ ...source, processes: {}, cron: [], checks: [], hooks: {}, maxParallel: {} }),
        create: releases.create.bind(releases),
        goLive: async () => {
          throw new PaasError('invalid', 'v1 did not come up.');
        },
      },
    } as unknown as AppPipelinesOptions);
    pipelines.add('line', 'staging', 'staging', 'alice');
    pipelines.add('line', 'shop', 'production', 'alice');
    const { signal } = new AbortController();
    await assert.rejects(
      pipelines.promote('staging', { to: 'shop', user: 'alice', write: () => {}, signal }),
      {
        code: 'invalid',
        message: 'v1 did not come up.\nshop has no config var KEY, as staging has.',
      },
    );
  });

  it('a restart that fails is no event', async () => {
    const refuse = new PaasError('not_found', 'no such dyno');
    const started: string[] = [];
    let restart = async () => {
      throw refuse;
    };
    const formations = new Formations({
      ...{ store, lock, activity },
      releases: { require: () => ({}) },
      dynos: { restart: () => restart() },
      runs: () => [],
      onStarted: (app: string) => void started.push(app),
    } as unknown as FormationsOptions);
    await assert.rejects(formations.restart('shop', 'canary', 'alice'), refuse);
    assert.deepEqual([events, started], [[], []]);
    restart = async () => undefined as never;
    await formations.restart('shop', 'web', 'alice');
    // Its time to idle begins anew.
    assert.deepEqual([events, started], [['Restarted web'], ['shop']]);
  });
});
