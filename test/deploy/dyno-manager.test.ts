import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Dyno } from '../../deploy/formation/dyno.ts';
import { DynoManager, type DynoManagerOptions } from '../../deploy/formation/dyno-manager.ts';
import { LeavingApps } from '../../deploy/leaving-apps.ts';
import type { Release } from '../../deploy/model/release.ts';

describe('DynoManager.scale()', () => {
  const release = {
    ...{ app: 'shop', version: 1, maxParallel: {} },
    processes: { web: 'node .', worker: 'node worker.js' },
  } as unknown as Release;

  /** An app whose web dyno sleeps; containers start without fail. */
  async function asleep(): Promise<DynoManager> {
    const dynos = new DynoManager({
      engine: { list: async () => [] },
      runner: {
        start: async (dyno: Dyno) => {
          dyno.container = { ended: new Promise(() => {}) } as Dyno['container'];
        },
        waitUntilUp: async (dyno: Dyno) => {
          dyno.become('up');
          return true;
        },
        stop: async () => {},
      },
      leaving: new LeavingApps(),
      publishRoutes: async () => {},
      drain: async () => {},
    } as unknown as DynoManagerOptions);
    const quantities = { web: 1, worker: 0 };
    await dynos.resume([{ release, quantities, idles: true, canary: undefined }]);
    return dynos;
  }

  const states = (dynos: DynoManager) => dynos.list('shop').map(({ name, state }) => `${name} ${state}`);

  it('leaves an app asleep whose workers alone are scaled', async () => {
    const dynos = await asleep();
    await dynos.scale({ release, quantities: { web: 1, worker: 1 }, canary: undefined });
    await dynos.settled();
    assert.deepEqual(states(dynos), ['web.1 idle', 'worker.1 up']);
  });

  it('gives a canary as many dynos as its share of the new formation is', async () => {
    const dynos = await asleep();
    const next = { ...release, version: 2 };
    await dynos.scale({ release, quantities: { web: 3 }, canary: { release: next, dynos: 2 } });
    await dynos.settled();
    assert.deepEqual(states(dynos), ['web.1 up', 'web.2 up', 'web.3 up', 'canary.1 up', 'canary.2 up']);
    await dynos.scale({ release, quantities: { web: 1 }, canary: { release: next, dynos: 1 } });
    assert.deepEqual(states(dynos), ['web.1 up', 'canary.1 up']);
  });

  it('wakes one whose web dynos become more: who answers while others sleep would wake none of them', async () => {
    const dynos = await asleep();
    await dynos.scale({ release, quantities: { web: 2, worker: 0 }, canary: undefined });
    await dynos.settled();
    assert.deepEqual(states(dynos), ['web.1 up', 'web.2 up']);
  });
});
