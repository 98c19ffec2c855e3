import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { AppCanaries, type AppCanariesOptions } from '../../deploy/canary.ts';
import type { RunningCanary } from '../../deploy/formation/dyno-manager.ts';
import { KeyedMutex } from '../../deploy/model/mutex.ts';
import type { Release } from '../../deploy/model/release.ts';
import { AppStore } from '../../deploy/store/app-store.ts';
import { Database } from '../../deploy/store/database.ts';
import { ReleaseStore } from '../../deploy/store/release-store.ts';

describe('AppCanaries', () => {
  const lock = new KeyedMutex();
  let folder: string;
  let database: Database;
  let store: ReleaseStore;
  let canaries: AppCanaries;
  let stopped: number;
  let wanted: number;
  let activate: (release: Release) => Promise<void>;
  let events: string[];
  let scaled: number[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'canary-'));
    database = new Database(join(folder, 'paas.db'));
    const apps = new AppStore(database);
    apps.create('shop', 'alice');
    store = new ReleaseStore(database);
    store.activate(made());
    apps.setCanaryShare('shop', 30);
    stopped = 0;
    events = [];
    scaled = [];
    wanted = 1;
    activate = async (release) => store.activate(release);
    canaries = new AppCanaries({
      apps,
      store,
      lock,
      releases: {
        quantities: () => ({ web: wanted }),
        require: () => store.find('shop', 1),
        current: () => store.find('shop', apps.find('shop').currentRelease!),
        activate: (release: Release) => activate(release),
        finish: async () => {},
      },
      dynos: {
        startCanary: async (_release: Release, _count: number, commit: () => void) => commit(),
        scale: async ({ canary }: { canary: RunningCanary }) => void scaled.push(canary.dynos),
        stopCanary: async () => void stopped++,
      },
      logs: { append: () => {} },
      activity: { note: ({ text }: { text: string }) => void events.push(text) },
      publishRoutes: async () => {},
    } as unknown as AppCanariesOptions);
  });
  afterEach(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });

  function made(): Release {
    return store.create({
      ...{ app: 'shop', description: '', user: 'alice', commit: undefined, buildId: undefined },
      ...{
        image: 'i',
        processes: { web: 'x' },
        config: {},
        cron: [],
        checks: {},
        hooks: {},
        maxParallel: {},
      },
    } as unknown as Parameters<ReleaseStore['create']>[0]);
  }

  function fail(): void {
    for (let i = 0; i < 40; i++) canaries.noteLine('shop', 'at=error dyno=canary.1 connect=0ms status=503 ');
  }

  it('gives one up that fails, and no other that has taken its place meanwhile', async () => {
    await canaries.begin(made(), () => {});
    fail();
    await lock.run('shop', async () => {});
    assert.deepEqual([stopped, store.canary('shop')], [1, undefined]);

    await canaries.begin(made(), () => {});
    await lock.run('shop', async () => {
      fail();
      await canaries.begin(made(), () => {});
    });
    await lock.run('shop', async () => {});
    assert.equal(stopped, 1);
    assert.equal(canaries.find('shop').release, 4);
  });

  it('one that cannot be promoted goes on as a canary, and can be given up', async () => {
    await canaries.begin(made(), () => {});
    activate = async (release) => {
      store.fail(release, 'it does not come up');
      throw new Error('web.1 exited');
    };
    await assert.rejects(canaries.promote('shop', 'alice'), /web.1 exited/);
    assert.equal(canaries.find('shop').release, 2);
    assert.equal(await canaries.abort('shop', 'alice'), 2);
    assert.equal(stopped, 1);
  });

  it('one whose place the next takes is given up, and that is told', async () => {
    await canaries.begin(made(), () => {});
    await canaries.begin(made(), () => {});
    assert.equal(canaries.find('shop').release, 3);
    assert.deepEqual(events, ['v2 given up: v3 takes its place']);
  });

  it('has more dynos with a larger share', async () => {
    wanted = 10;
    await canaries.begin(made(), () => {});
    await canaries.set('shop', 50, 'alice');
    assert.deepEqual(scaled, [5]);
  });

  it('has as many dynos after a start of control as before', async () => {
    wanted = 10;
    await canaries.begin(made(), () => {});
    assert.equal(canaries.running('shop')!.dynos, 3);
  });
});
