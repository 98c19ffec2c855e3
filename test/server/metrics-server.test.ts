import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { MetricsServer, metricsText } from '../../server/metrics-server.ts';

const latencies = new Array(32).fill(0);
latencies[1] = 2;
latencies[31] = 1;
const apps = new Map([['shop', { statuses: [0, 2, 0, 0, 1], bytes: 70, time: 1500, latencies }]]);

describe('metricsText()', () => {
  it('has a histogram whose last bucket is the count', () => {
    const text = metricsText({ apps, inFlight: 4 });
    assert.match(text, /^paas_requests_total\{app="shop",status="2xx"\} 2$/m);
    assert.match(text, /^paas_requests_total\{app="shop",status="5xx"\} 1$/m);
    assert.match(text, /^paas_request_duration_seconds_bucket\{app="shop",le="0.000375"\} 2$/m);
    assert.match(text, /^paas_request_duration_seconds_bucket\{app="shop",le="\+Inf"\} 3$/m);
    assert.match(text, /^paas_request_duration_seconds_sum\{app="shop"\} 1.5$/m);
    assert.match(text, /^paas_requests_in_flight 4\n$/m);
    const bounds = [...text.matchAll(/le="([\d.]+)"\} (\d+)/g)].map(([, bound]) => Number(bound));
    assert.deepEqual(
      bounds,
      bounds.toSorted((a, b) => a - b),
    );
  });

  it('leaves out what nobody knows', () => {
    assert.doesNotMatch(metricsText({ apps, inFlight: undefined }), /^paas_requests_in_flight /m);
  });
});

describe('MetricsServer', () => {
  it('answers GET /metrics and nothing else', async () => {
    const server = new MetricsServer(async () => ({ apps, inFlight: 0 }));
    const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      assert.match(answer.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
      assert.match(await answer.text(), /^# HELP paas_requests_total /);
      assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 404);
    } finally {
      server.close();
    }
  });
});
