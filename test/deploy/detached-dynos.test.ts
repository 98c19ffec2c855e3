import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Engine } from '../../deploy/engine.ts';
import type { AppLogs } from '../../deploy/logs/app-log.ts';
import { DetachedDynos, type DetachedRequest } from '../../deploy/runs/detached-dynos.ts';

describe('DetachedDynos', () => {
  it('start() leaves no dyno of an app that was destroyed meanwhile', async () => {
    const steps: string[] = [];
    let isThere = true;
    const engine = {
      create: async () => {
        steps.push('create');
        return 'id';
      },
      start: async () => {
        steps.push('start');
        isThere = false;
      },
      remove: async (id: string) => void steps.push(`remove ${id}`),
    };
    const requireApp = () => {
      if (!isThere) throw new Error('There is no app "shop".');
    };
    const dynos = new DetachedDynos({
      engine: engine as unknown as Engine,
      logs: { append: () => assert.fail('its log is gone') } as unknown as AppLogs,
      requireApp,
    });
    const release = { app: 'shop', version: 1, image: 'i', processes: {}, config: {} };
    const request = { release, prefix: 'cron', command: 'ls', user: 'alice', limits: {} };
    await assert.rejects(dynos.start(request as unknown as DetachedRequest), /no app "shop"/);
    assert.deepEqual(steps, ['create', 'start', 'remove id']);
    assert.deepEqual(dynos.list('shop'), []);
    dynos.close();
  });
});
