import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type App, pickDyno } from '../../../server/router/app.ts';
import { RouteMap } from '../../../server/router/route-map.ts';
import { tableOf } from './router-fixture.ts';

const fresh = () => ({ tried: new Set<never>(), now: 0 });

describe('RouteMap.swap()', () => {
  it('keeps the pool of a dyno that stays, and retires that of one that goes', () => {
    const routes = new RouteMap({ maxIdle: 4 });
    routes.swap(tableOf([1001, 1002]));
    const [one, two] = appOf(routes).dynos.map(({ pool }) => pool);
    routes.swap(tableOf([1002, 1003]));
    assert.equal(appOf(routes).dynos[0]!.pool, two);
    assert.equal(one!.retired, true);
    assert.equal(two!.retired, false);
  });

  it('forgets retired pools when they are quiet, not before', () => {
    const routes = new RouteMap({ maxIdle: 4 });
    routes.swap(tableOf([1001]));
    const { pool } = appOf(routes).dynos[0]!;
    pool.began();
    routes.swap(tableOf([1002]));
    routes.upstreams.sweep(0);
    assert.deepEqual(routes.upstreams.at([{ address: '127.0.0.1', port: 1001 }]), [pool]);
    assert.deepEqual(routes.upstreams.inFlight(), [{ server: '127.0.0.1:1001', inFlight: 1 }]);
    pool.ended();
    routes.upstreams.sweep(0);
    assert.deepEqual(routes.upstreams.at([{ address: '127.0.0.1', port: 1001 }]), []);
  });

  it('wakes whoever waits, once', () => {
    const routes = new RouteMap({ maxIdle: 4 });
    let woken = 0;
    routes.waitForChange(() => woken++);
    const stop = routes.waitForChange(() => assert.fail('does not wait any more'));
    stop();
    routes.swap(tableOf([1]));
    routes.swap(tableOf([2]));
    assert.equal(woken, 1);
  });
});

describe('RouteMap.find()', () => {
  it('knows hosts of apps and of the dashboard, and no other', () => {
    const routes = new RouteMap({ maxIdle: 4 });
    assert.equal(routes.isEmpty, true);
    routes.swap(tableOf([1]));
    assert.equal(routes.isEmpty, false);
    assert.equal(routes.find('app.localhost', '/')?.kind, 'app');
    assert.equal(routes.find('paas.localhost', '/')?.kind, 'dashboard');
    assert.equal(routes.find('localhost', '/'), undefined);
    assert.equal(routes.find('constructor', '/'), undefined);
  });
});

describe('pickDyno()', () => {
  it('takes turns among equally busy dynos', () => {
    const app = threeDynos();
    const names = [1, 2, 3, 4].map(() => pickDyno(app, fresh())!.name);
    assert.deepEqual(names, ['web.1', 'web.2', 'web.3', 'web.1']);
  });

  it('takes the least busy one', () => {
    const app = threeDynos();
    app.dynos[0]!.pool.inFlight = 2;
    app.dynos[1]!.pool.inFlight = 1;
    app.dynos[2]!.pool.inFlight = 3;
    assert.equal(pickDyno(app, fresh())!.name, 'web.2');
    assert.equal(pickDyno(app, fresh())!.name, 'web.2');
  });

  it('leaves out those that were tried, and prefers those that did not refuse lately', () => {
    const app = threeDynos();
    const tried = new Set([app.dynos[0]!.pool]);
    app.dynos[1]!.pool.health.unreachable(0);
    assert.equal(pickDyno(app, { tried, now: 50 })!.name, 'web.3');
    app.dynos[2]!.pool.health.unreachable(0);
    assert.notEqual(pickDyno(app, { tried, now: 50 }), undefined);
    assert.equal(pickDyno(app, { tried: new Set(app.dynos.map(({ pool }) => pool)), now: 0 }), undefined);
  });
});

function threeDynos(): App {
  const routes = new RouteMap({ maxIdle: 4 });
  routes.swap(tableOf([1001, 1002, 1003]));
  return appOf(routes);
}

function appOf(routes: RouteMap): App {
  const target = routes.find('app.localhost', '/');
  assert.ok(target?.kind === 'app');
  return target.app;
}
