import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { LeavingApps } from '../../deploy/leaving-apps.ts';
import { AppPreviews, type AppPreviewsOptions } from '../../deploy/previews.ts';
import { AppStore } from '../../deploy/store/app-store.ts';
import { Database } from '../../deploy/store/database.ts';
import { HttpsStore } from '../../deploy/store/https-store.ts';
import { PreviewStore } from '../../deploy/store/preview-store.ts';
import { VisitorStore } from '../../deploy/store/visitor-store.ts';

describe('AppPreviews', () => {
  const leaving = new LeavingApps();
  let apps: AppStore;
  let folder: string;
  let database: Database;
  let previews: AppPreviews;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'previews-'));
    database = new Database(join(folder, 'paas.db'));
    apps = new AppStore(database);
    apps.create('shop', 'alice');
    previews = new AppPreviews({
      ...{ apps, leaving, visitors: new VisitorStore(database), https: new HttpsStore(database) },
      store: new PreviewStore(database),
      catalog: {
        create: (name: string, user: string) => apps.create(name, user),
        async destroy(name: string) {
          apps.find(name);
          await new Promise((resolve) => setImmediate(resolve)); // its dynos end
          apps.find(name);
          apps.remove(name);
        },
      },
      activity: { note: () => {} },
    } as unknown as AppPreviewsOptions);
    previews.on('shop', { limit: 1, ttl: 3600, keys: undefined }, 'alice');
  });
  after(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });

  it('prepare() says how to make room, also where the branch of a preview was never built', () => {
    assert.equal(previews.prepare('shop', 'one', 'alice'), 'shop-one');
    assert.equal(previews.prepare('shop', 'one', 'alice'), 'shop-one');
    const how =
      /^shop has 1 preview already.*git push paas :one.*apps:destroy -a shop-one.*--limit 2 -a shop/;
    assert.throws(() => previews.prepare('shop', 'two', 'alice'), { code: 'conflict', message: how });
  });

  it('removeAll() does not mind one that goes by itself meanwhile', async () => {
    const others = [previews.branchDeleted('shop', 'one', 'bob'), previews.removeAll('shop', 'alice')];
    await Promise.all(others);
    assert.deepEqual(
      apps.list().map(({ name }) => name),
      ['shop'],
    );
  });

  it('prepare() refuses where the app is being destroyed', async () => {
    await leaving.during('shop', async () => {
      const refusal = { code: 'conflict', message: 'shop is being destroyed.' };
      assert.throws(() => previews.prepare('shop', 'one', 'alice'), refusal);
    });
    assert.equal(previews.prepare('shop', 'one', 'alice'), 'shop-one');
  });
});
