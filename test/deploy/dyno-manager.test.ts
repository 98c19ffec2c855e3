import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import type { Dyno } from '../../deploy/formation/dyno.ts';
import { DynoManager, type DynoManagerOptions } from '../../deploy/formation/dyno-manager.ts';
import { LeavingApps } from '../../deploy/leaving-apps.ts';
import type { Release } from '../../deploy/model/release.ts';

describe('DynoManager', () => {
  const release = {
    ...{ app: 'shop', version: 1, maxParallel: {} },
    processes: { web: 'node .', worker: 'node worker.js' },
  } as unknown as Release;

  let publishes: () => Promise<void>;
  let stopped: string[];
  let said: string[];
  beforeEach(() => {
    publishes = async () => {};
    stopped = [];
    said = [];
  });

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
        stop: async ({ name, release }: Dyno) => void stopped.push(`v${release.version} ${name}`),
      },
      logs: { append: (_app: string, { text }: { text: string }) => void said.push(text) },
      log: (text: string) => void said.push(text),
      leaving: new LeavingApps(),
      publishRoutes: () => publishes(),
      drain: async () => {},
    } as unknown as DynoManagerOptions);
    const quantities = { web: 1, worker: 0 };
    await dynos.resume([{ release, quantities, idles: true, canary: undefined }]);
    return dynos;
  }

  const states = (dynos: DynoManager) => dynos.list('shop').map(({ name, state }) => `${name} ${state}`);

  it('scale() leaves an app asleep whose workers alone are scaled', async () => {
    const dynos = await asleep();
    await dynos.scale({ release, quantities: { web: 1, worker: 1 }, canary: undefined });
    await dynos.settled();
    assert.deepEqual(states(dynos), ['web.1 idle', 'worker.1 up']);
  });

  it('scale() gives a canary as many dynos as its share of the new formation is', async () => {
    const dynos = await asleep();
    const next = { ...release, version: 2 };
    await dynos.scale({ release, quantities: { web: 3 }, canary: { release: next, dynos: 2 } });
    await dynos.settled();
    assert.deepEqual(states(dynos), ['web.1 up', 'web.2 up', 'web.3 up', 'canary.1 up', 'canary.2 up']);
    await dynos.scale({ release, quantities: { web: 1 }, canary: { release: next, dynos: 1 } });
    assert.deepEqual(states(dynos), ['web.1 up', 'canary.1 up']);
  });

  it('scale() wakes one whose web dynos become more: who answers while others sleep would wake none of them', async () => {
    const dynos = await asleep();
    await dynos.scale({ release, quantities: { web: 2, worker: 0 }, canary: undefined });
    await dynos.settled();
    assert.deepEqual(states(dynos), ['web.1 up', 'web.2 up']);
  });

  it('replace() of what is recorded stands when the router refuses its table: the old dynos go when it takes one', async () => {
    const dynos = await asleep();
    const quantities = { web: 1 };
    await dynos.scale({ release, quantities: { web: 2 }, canary: undefined });
    const next = { ...release, version: 2 };
    publishes = async () => {
      throw new Error('no table');
    };
    let committed = 0;
    await dynos.replace(next, quantities, () => void committed++);
    await dynos.settled();
    assert.deepEqual([committed, states(dynos), stopped], [1, ['web.1 up'], []]);
    const why = 'the router did not take its new table: no table';
    assert.deepEqual(said, [why, `Visitors get the dynos of before, as ${why}`]);
    publishes = async () => {};
    await dynos.scale({ release: next, quantities: { web: 1, worker: 1 }, canary: undefined });
    await dynos.settled();
    assert.deepEqual(stopped, ['v1 web.1', 'v1 web.2']);
  });
});
