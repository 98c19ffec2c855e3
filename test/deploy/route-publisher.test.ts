import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Dyno, DynoContainer } from '../../deploy/formation/dyno.ts';
import { RoutePublisher } from '../../deploy/formation/route-publisher.ts';
import type { Release } from '../../deploy/model/release.ts';
import type { AppRoute } from '../../deploy/model/router.ts';
import type { AppStore } from '../../deploy/store/app-store.ts';
import type { DomainStore } from '../../deploy/store/domain-store.ts';
import type { PortStore } from '../../deploy/store/port-store.ts';
import type { VisitorStore } from '../../deploy/store/visitor-store.ts';

const release = { app: 'shop', version: 1, processes: { web: 'x' } } as unknown as Release;

function dyno(number: number, state: 'starting' | 'up' | 'crashed'): Dyno {
  const made = new Dyno(release, 'web', number);
  made.container = new DynoContainer(String(number));
  made.container.address = `172.30.0.${number}`;
  if (state !== 'starting') made.become(state);
  return made;
}

/** A publisher for one app; tables wait in `sent` until they are let through. */
function publisher(dynos: Dyno[], currentRelease: number | undefined = 1) {
  const sent: { apps: AppRoute[]; done: () => void }[] = [];
  const apps = { list: () => [{ name: 'shop', currentRelease }] } as unknown as AppStore;
  const own = { app: 'shop', path: '', strip: false, passthrough: undefined, redirect: undefined };
  const domains = { all: () => [{ ...own, hostname: 'www.shop.com' }] } as unknown as DomainStore;
  const visitors = { all: () => new Map() } as unknown as VisitorStore;
  const port = { app: 'shop', protocol: 'http', port: 8080, type: 'admin', target: 3000 };
  const ports = { all: () => [port, { ...port, protocol: 'tcp', port: 5432 }] } as unknown as PortStore;
  const setRoutes = (table: AppRoute[]) => new Promise<void>((done) => sent.push({ apps: table, done }));
  const router = { setRoutes, inFlight: async () => 0, drain: async () => {} };
  return {
    sent,
    routes: new RoutePublisher({
      apps,
      domains,
      visitors,
      ports,
      router,
      domain: 'example.com',
      dynosOf: () => dynos,
    }),
  };
}

describe('RoutePublisher.publish()', () => {
  const stateOf = async (dynos: Dyno[], currentRelease?: number) => {
    const { sent, routes } = publisher(dynos, currentRelease);
    void routes.publish();
    await new Promise(setImmediate);
    return sent[0]!.apps[0]!;
  };

  it('routes to the dynos that are up, by all host names of the app', async () => {
    const route = await stateOf([dyno(1, 'up'), dyno(2, 'starting'), dyno(3, 'crashed')]);
    assert.deepEqual(route, {
      app: 'shop',
      hosts: ['shop.example.com', 'www.shop.com'],
      state: 'up',
      dynos: [{ name: 'web.1', address: '172.30.0.1', port: 5000 }],
      ports: [{ port: 8080, state: 'stopped', dynos: [] }],
    });
  });

  it('says why there is none', async () => {
    assert.equal((await stateOf([])).state, 'stopped');
    assert.equal((await stateOf([dyno(1, 'starting')])).state, 'booting');
    assert.equal((await stateOf([dyno(1, 'crashed')])).state, 'crashed');
  });

  it('lets requests wait for a dyno that restarts at once', async () => {
    const crashed = dyno(1, 'crashed');
    crashed.restartsAtOnce = true;
    assert.equal((await stateOf([crashed])).state, 'booting');
  });

  it('sends what changed meanwhile once, after the table that is under way', async () => {
    const dynos = [dyno(1, 'up')];
    const { sent, routes } = publisher(dynos);
    const first = routes.publish();
    await new Promise(setImmediate);
    dynos.push(dyno(2, 'up'));
    const later = [routes.publish(), routes.publish(), routes.publish()];
    assert.equal(sent.length, 1);
    sent[0]!.done();
    await first;
    await new Promise(setImmediate);
    assert.equal(sent.length, 2);
    assert.equal(sent[1]!.apps[0]!.dynos.length, 2);
    sent[1]!.done();
    await Promise.all(later);
  });
});
