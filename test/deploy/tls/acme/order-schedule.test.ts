import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseRetryAfter } from '../../../../deploy/tls/acme/acme-transport.ts';
import { allowedFrom, retryOf } from '../../../../deploy/tls/acme/order-schedule.ts';
import { isPublicName, whyNotOrdered } from '../../../../deploy/tls/acme/public-name.ts';

const HOUR = 3_600_000;

describe('when certificates are ordered', () => {
  const now = new Date('2026-11-28T12:00:00Z');
  const hoursAgo = (hours: number) => new Date(now.getTime() - hours * HOUR);

  it('allowedFrom() lets a host have four orders an hour and twenty a week', () => {
    assert.equal(allowedFrom([0.9, 0.5, 0.1].map(hoursAgo), now), undefined);
    assert.deepEqual(
      allowedFrom([0.9, 0.5, 0.3, 0.1].map(hoursAgo), now),
      new Date(hoursAgo(0.9).getTime() + HOUR),
    );
    const daily = Array.from({ length: 20 }, (_, i) => hoursAgo(2 + i * 6));
    assert.deepEqual(allowedFrom(daily, now), new Date(daily.at(-1)!.getTime() + 7 * 24 * HOUR));
    assert.equal(allowedFrom(daily.slice(1), now), undefined);
  });

  it('retryOf() is never before the authority said, nor for ever', () => {
    const told = (retryAfter: Date | undefined) =>
      retryOf('a.example.com', { failures: 1, ordered: true, retryAfter, now }).getTime() - now.getTime();
    assert.ok(told(undefined) < HOUR);
    assert.equal(told(new Date(now.getTime() + 5 * HOUR)), 5 * HOUR);
    assert.equal(told(new Date('2099-01-01')), 7 * 24 * HOUR);
  });

  it('parseRetryAfter() reads seconds and dates', () => {
    assert.deepEqual(parseRetryAfter('60', 0), new Date(60_000));
    assert.deepEqual(parseRetryAfter('Sat, 28 Nov 2026 12:00:00 GMT'), now);
    for (const text of [undefined, '', 'soon', '-5x']) assert.equal(parseRetryAfter(text), undefined);
  });

  it('only public names go to a public authority', () => {
    const [publicly, privately] = ['https://acme.example.com/directory', 'https://ca.internal/directory'];
    assert.ok(isPublicName('acme.example.com'));
    for (const host of [
      'blog.localhost',
      'a.test',
      'printer.local',
      'db.internal',
      'host',
      'x.home.arpa',
      '10.0.0.1',
    ]) {
      assert.ok(!isPublicName(host), host);
      assert.match(whyNotOrdered(host, publicly)!, /not public/, host);
    }
    assert.equal(whyNotOrdered('www.example.com', publicly), undefined);
    assert.equal(whyNotOrdered('db.internal', privately), undefined);
    for (const directory of [publicly, privately])
      assert.match(whyNotOrdered('*.example.com', directory)!, /wildcard/);
    assert.match(whyNotOrdered('a_b.example.com', publicly)!, /no such name/);
  });
});
