import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { latencyBound, latencyQuantile } from '../../deploy/model/latency.ts';
import { AppStore } from '../../deploy/store/app-store.ts';
import { Database } from '../../deploy/store/database.ts';
import { TrafficStore } from '../../deploy/store/traffic-store.ts';
import { AppTraffic } from '../../deploy/traffic.ts';

const MINUTE = 60_000;

describe('AppTraffic', () => {
  let folder: string;
  let database: Database;
  let apps: AppStore;
  let traffic: AppTraffic;
  let now: number;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'paas-traffic-'));
    database = new Database(join(folder, 'paas.db'));
    apps = new AppStore(database);
    apps.create('shop', 'alice');
    now = 1_000_000 * MINUTE;
    traffic = open();
  });
  afterEach(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });

  function open(): AppTraffic {
    return new AppTraffic({ apps, store: new TrafficStore(database), log: assert.fail, now: () => now });
  }

  /** So many requests of 3 ms, and failures among them. */
  function note(good: number, bad = 0, app = 'shop'): void {
    const latencies = new Array(32).fill(0);
    latencies[7] = good + bad;
    traffic.note({ app, statuses: [0, good, 0, 0, bad], bytes: 10, time: 3 * (good + bad), latencies });
  }

  const requests = () => traffic.periods('shop').map((period) => period.requests);

  it('adds the minute at hand to those that are kept, each period by its length', () => {
    note(5);
    now += 4 * MINUTE;
    note(3);
    assert.deepEqual(requests(), [8, 8, 8, 8]);
    now += 10 * MINUTE;
    note(1);
    assert.deepEqual(requests(), [1, 9, 9, 9]);
    now += 2 * 24 * 60 * MINUTE;
    assert.deepEqual(requests(), [0, 0, 0, 9]);
  });

  it('tells failures and times', () => {
    note(97, 3);
    const [last] = traffic.periods('shop');
    assert.deepEqual([last!.requests, last!.serverErrors, last!.clientErrors], [100, 3, 0]);
    for (const time of [last!.p50!, last!.p99!]) assert.ok(time > latencyBound(6) && time <= latencyBound(7));
  });

  it('goes on after a restart in the midst of a minute', () => {
    note(5);
    traffic.close();
    traffic = open();
    note(2);
    assert.deepEqual(requests(), [7, 7, 7, 7]);
    assert.deepEqual(
      traffic.minutes('shop', 60).map((minute) => minute.requests),
      [7],
    );
    traffic.close();
    traffic = open();
    assert.deepEqual(requests(), [7, 7, 7, 7]);
  });

  it('forgets what is over a week old, and apps that are gone', () => {
    note(5);
    now += (7 * 24 * 60 + 2) * MINUTE;
    note(1);
    now += MINUTE;
    note(1);
    assert.equal(database.all('SELECT * FROM traffic').length, 1);
    note(1, 0, 'gone');
    assert.ok(!traffic.totals.has('gone'));
    assert.throws(() => traffic.periods('gone'), { code: 'not_found' });
  });
});

describe('latencyQuantile()', () => {
  it('is between the bounds of the place where it falls', () => {
    const latencies = [90, 0, 0, 9, 0, 1];
    assert.ok(latencyQuantile(latencies, 0.5)! <= latencyBound(0));
    const p95 = latencyQuantile(latencies, 0.95)!;
    assert.ok(p95 > latencyBound(2) && p95 < latencyBound(3));
    assert.equal(latencyQuantile(latencies, 1), latencyBound(5));
    assert.equal(latencyQuantile([0, 0], 0.5), undefined);
  });
});
