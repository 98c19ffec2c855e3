import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { ControlApi } from '../../../server/router/control-api.ts';
import { RouteFile } from '../../../server/router/route-file.ts';
import { RouteMap } from '../../../server/router/route-map.ts';
import { RouterLog } from '../../../server/router/router-log.ts';
import { noteTaken, SharedRates } from '../../../server/router/shared-rates.ts';
import { Traffic } from '../../../server/router/traffic.ts';
import { eventually, tableOf } from './router-fixture.ts';

describe('SharedRates', () => {
  let folder: string;
  let routers: { routes: RouteMap; control: ControlApi; rates: SharedRates }[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rates-'));
    const sockets = ['1', '2', 'away'].map((name) => join(folder, name));
    routers = [0, 1].map((number) => {
      const routes = new RouteMap({ maxIdle: 1 });
      routes.swap(tableOf([], { rules: { rate: { requests: 10, milliseconds: 3_600_000, burst: 10 } } }));
      const file = new RouteFile(join(folder, `routes${number}`));
      const control = new ControlApi({ routes, file, log: new RouterLog(), traffic: new Traffic() });
      const others = sockets.filter((_, i) => i !== number);
      return { routes, control, rates: new SharedRates(routes, others) };
    });
    for (const [i, { control }] of routers.entries()) await control.listen(sockets[i]!);
  });
  afterEach(() => {
    for (const { control } of routers) {
      control.release();
      control.stop();
    }
    rmSync(folder, { recursive: true });
  });

  const rateOf = (router: number) => routers[router]!.routes.rate('app')!;
  /** How many of so many requests a router lets in. */
  const letIn = (router: number, client: string, requests: number) =>
    Array.from({ length: requests }, () => rateOf(router).take(client, performance.now())).filter(
      (early) => early === 0,
    ).length;

  it('a client has one rate at all routers, also while one of them is away', async () => {
    for (const { rates } of routers) rates.tell();
    assert.equal(letIn(0, '192.0.2.1', 6), 6);
    assert.equal(letIn(0, '192.0.2.2', 6), 6);
    routers[0]!.rates.tell();
    await eventually(() => rateOf(1).size === 2 || undefined, 'the count of both');
    assert.equal(letIn(1, '192.0.2.1', 99), 4);
    assert.equal(letIn(1, '192.0.2.3', 1), 1);
    routers[1]!.rates.tell();
    await eventually(() => rateOf(0).size === 3 || undefined, 'the count of the third');
    assert.equal(letIn(0, '192.0.2.1', 99), 0);
    assert.equal(letIn(0, '192.0.2.2', 99), 4);
  });

  it('what is no count is refused', () => {
    const { routes } = routers[0]!;
    for (const value of [7, { app: 7 }, { app: { '192.0.2.1': 0 } }, { app: { '192.0.2.1': '1' } }])
      assert.throws(() => noteTaken(value, { routes, now: 0 }), / is no /);
    noteTaken({ other: { '192.0.2.1': 1 } }, { routes, now: 0 });
  });
});
