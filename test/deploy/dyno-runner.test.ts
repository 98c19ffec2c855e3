import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it } from 'mocha';
import { Dyno, WEB_PORT } from '../../deploy/formation/dyno.ts';
import { DynoRunner, type DynoRunnerOptions } from '../../deploy/formation/dyno-runner.ts';
import type { Release } from '../../deploy/model/release.ts';

/** Of loopback, where nobody else listens. */
const ADDRESS = '127.77.3.2';

describe('DynoRunner.adopt()', () => {
  const release = { app: 'shop', version: 1, processes: { web: 'x' } } as unknown as Release;
  const startedAt = new Date('2026-08-10T05:00:00Z');

  /** Control has much to do, as at its start, while it asks the dyno whether it listens. */
  async function adopt(): Promise<Dyno> {
    const dyno = new Dyno(release, 'web', 1);
    const runner = new DynoRunner({
      engine: {
        inspect: async () => ({ address: ADDRESS, startedAt, running: true }),
        async *logs() {
          queueMicrotask(() => {
            for (const end = Date.now() + 100; Date.now() < end; );
          });
          await new Promise(() => {});
        },
      },
      logs: { lastOf: () => undefined },
      checks: { watch: () => {} },
    } as unknown as DynoRunnerOptions);
    await runner.adopt(dyno, '1');
    runner.close();
    return dyno;
  }

  it('a dyno that listens is up since it was, however busy control is', async () => {
    const server = createServer().listen(WEB_PORT, ADDRESS);
    await once(server, 'listening');
    const { state, since } = await adopt();
    server.close();
    assert.deepEqual([state, since], ['up', startedAt]);
  });

  it('one that does not listen yet is not', async () => {
    assert.equal((await adopt()).state, 'starting');
  });
});
