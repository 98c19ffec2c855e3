import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, it } from 'mocha';
import * as deploy from '../../../deploy/model/latency.ts';
import { latencyBound, Traffic, type TrafficCount } from '../../../server/router/traffic.ts';

function follower(traffic: Traffic): { stream: PassThrough; counts: () => TrafficCount[] } {
  const stream = new PassThrough();
  traffic.follow(stream);
  const counts = () => {
    const text = String(stream.read() ?? '');
    return text === ''
      ? []
      : text
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line));
  };
  return { stream, counts };
}

describe('Traffic', () => {
  it('counts by app, status and time, and tells each count once', () => {
    const traffic = new Traffic();
    traffic.count('a', { status: 200, bytes: 10, time: 0.1 });
    traffic.count('a', { status: 503, bytes: 5, time: 200_000 });
    traffic.count('b', { status: 404, bytes: 0, time: 1 });
    const { counts } = follower(traffic);
    const [a, b] = counts();
    assert.deepEqual(a!.statuses, [0, 1, 0, 0, 1]);
    assert.deepEqual([a!.bytes, a!.time], [15, 200_000.1]);
    assert.deepEqual([a!.latencies[0], a!.latencies.at(-1)], [1, 1]);
    assert.deepEqual(b!.statuses, [0, 0, 0, 1, 0]);
    traffic.report();
    assert.deepEqual(counts(), []);
    traffic.count('b', { status: 200, bytes: 0, time: 1 });
    traffic.report();
    assert.deepEqual(counts()[0]!.statuses, [0, 1, 0, 0, 0]);
  });

  it('puts a time where it is at most the bound, and above the one before', () => {
    for (const time of [0.25, 0.26, 1, 7, 99, 1000, 30_000, 60_000]) {
      const traffic = new Traffic();
      traffic.count('a', { status: 200, bytes: 0, time });
      const place = follower(traffic).counts()[0]!.latencies.indexOf(1);
      assert.ok(time <= latencyBound(place), `${time} in place ${place}`);
      assert.ok(place === 0 || time > latencyBound(place - 1), `${time} in place ${place}`);
    }
  });

  it('leaves the time of a WebSocket out', () => {
    const traffic = new Traffic();
    traffic.count('a', { status: 101, bytes: 7, time: 50_000 });
    const [a] = follower(traffic).counts();
    assert.deepEqual([a!.statuses[0], a!.bytes, a!.time], [1, 7, 0]);
    assert.ok(a!.latencies.every((count) => count === 0));
  });

  it('keeps what nobody was told, also after a follower has gone', async () => {
    const traffic = new Traffic();
    const { stream } = follower(traffic);
    stream.destroy();
    await once(stream, 'close');
    traffic.count('a', { status: 200, bytes: 0, time: 1 });
    traffic.report();
    assert.equal(follower(traffic).counts()[0]!.statuses[1], 1);
  });

  it('counts by the bounds that control reckons by', () => {
    for (let place = 0; place < 32; place++) assert.equal(latencyBound(place), deploy.latencyBound(place));
  });
});
