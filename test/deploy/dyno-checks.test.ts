import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { HealthCheck } from '../../buildpacks/health-checks.ts';
import { Dyno, DynoContainer, WEB_PORT } from '../../deploy/formation/dyno.ts';
import { DynoChecks } from '../../deploy/formation/dyno-checks.ts';
import type { Release } from '../../deploy/model/release.ts';
import { until } from '../fixtures/until.ts';

/** Of loopback, where nobody else listens. */
const ADDRESS = '127.77.3.1';

describe('DynoChecks.watch()', () => {
  const failing = new Set<string>();
  const said: string[] = [];
  let server: Server;
  let asked: string[];
  let set: HealthCheck[];
  let changes: boolean[];
  let dyno: Dyno;
  let over: AbortController;

  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      asked.push(request.url!);
      response.statusCode = failing.has(request.url!) ? 503 : 200;
      response.end();
    });
    server.listen(WEB_PORT, ADDRESS);
    await once(server, 'listening');
    failing.clear();
    said.length = 0;
    changes = [];
    set = ['/db', '/cache'].map((path) => ({
      ...{ type: 'readiness', name: path.slice(1), path, content: '', status: undefined },
      ...{ attempts: 1, initialDelay: 0, wait: 0.02, timeout: 5 },
    }));
    dyno = new Dyno({ app: 'shop', version: 1, processes: { web: 'x' } } as unknown as Release, 'web', 1);
    dyno.container = new DynoContainer('1');
    dyno.container.address = ADDRESS;
    dyno.become('up');
    watch();
  });
  afterEach(() => {
    over.abort();
    server.closeAllConnections();
    server.close();
  });

  function watch(): void {
    over = new AbortController();
    const checks = new DynoChecks({
      checksOf: () => set,
      hostOf: () => 'shop.example.com',
      say: (_dyno, text) => said.push(text),
    });
    const onReadiness = () => void changes.push(dyno.ready);
    checks.watch(dyno, { onReadiness, onDead: () => {} }, over.signal);
  }

  const rounds = async (count: number) => {
    const wanted = asked.length + 2 * count;
    await until(() => asked.length >= wanted);
  };

  it('a dyno is not ready while one of several readiness checks fails, and says which', async () => {
    failing.add('/db');
    await until(() => !dyno.ready);
    await rounds(5);
    failing.add('/cache');
    await rounds(5);
    assert.deepEqual(changes, [false]);
    assert.equal(dyno.view().reason, 'gets no requests: db: status 503');
    failing.delete('/db');
    await rounds(5);
    assert.equal(dyno.view().reason, 'gets no requests: cache: status 503');
    failing.clear();
    await until(() => dyno.ready);
    assert.deepEqual(changes, [false, true]);
    assert.equal(dyno.view().reason, undefined);
    assert.deepEqual(said, [
      'db failed 1 time: status 503',
      'cache failed 1 time: status 503',
      'db passes again',
      'cache passes again',
    ]);
  });

  it('a check that is no more keeps no dyno from being ready; one that is, does', async () => {
    failing.add('/db').add('/cache');
    await until(() => dyno.unready.size === 2);
    over.abort();
    set = set.filter(({ name }) => name === 'cache');
    watch();
    assert.deepEqual([...dyno.unready.keys()], ['cache']);
  });
});
