import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { afterProbe, healthCheck, isInStartPeriod, STARTING } from '../../../runtime/containers/health.ts';

const NOTHING = { Test: [], Interval: 0, Timeout: 0, StartPeriod: 0, StartInterval: 0, Retries: 0 };
const CHECK = healthCheck({ ...NOTHING, Test: ['CMD', 'true'], Retries: 2, StartPeriod: 5e9 })!;
const probe = (exitCode: number) => ({ start: '', end: '', exitCode, output: String(exitCode) });

describe('healthCheck()', () => {
  it('healthCheck() fills in the defaults', () => {
    assert.deepEqual(healthCheck({ ...NOTHING, Test: ['CMD-SHELL', 'curl -f localhost'] }), {
      args: ['/bin/sh', '-c', 'curl -f localhost'],
      ...{ interval: 30_000, timeout: 30_000, startPeriod: 0, startInterval: 5_000, retries: 3 },
    });
    assert.deepEqual(healthCheck({ ...NOTHING, Test: ['CMD', 'a', 'b'], Interval: 2.5e8 })?.args, ['a', 'b']);
  });

  it('healthCheck() knows when there is none', () => {
    for (const config of [undefined, NOTHING, { ...NOTHING, Test: ['NONE'] }]) {
      assert.equal(healthCheck(config), undefined);
    }
  });
});

describe('afterProbe()', () => {
  const healthAfter = (codes: number[], inStartPeriod = false) =>
    codes.reduce(
      (health, code) => afterProbe(health, probe(code), { check: CHECK, inStartPeriod }),
      STARTING,
    );

  it('afterProbe() needs as many failures in a row as the check says', () => {
    assert.equal(healthAfter([1]).status, 'starting');
    assert.equal(healthAfter([0, 1]).status, 'healthy');
    assert.equal(healthAfter([0, 1, 0, 1]).status, 'healthy');
    assert.equal(healthAfter([0, 1, 1]).status, 'unhealthy');
    assert.equal(healthAfter([1, -1]).status, 'unhealthy');
    assert.equal(healthAfter([1, 1, 1, 0]).status, 'healthy');
  });

  it('afterProbe() does not count failures of the start, but a success', () => {
    assert.deepEqual(
      [healthAfter([1, 1, 1], true).status, healthAfter([1, 1, 1], true).failingStreak],
      ['starting', 0],
    );
    assert.equal(healthAfter([1, 0], true).status, 'healthy');
  });

  it('afterProbe() keeps the last five', () => {
    const { log } = healthAfter([0, 1, 2, 3, 4, 5, 6]);
    assert.deepEqual(
      log.map(({ exitCode }) => exitCode),
      [2, 3, 4, 5, 6],
    );
  });
});

describe('isInStartPeriod()', () => {
  it('isInStartPeriod() ends with the period, or with the first success', () => {
    const startedAt = '2026-01-01T00:00:00Z';
    const at = (second: number, health = STARTING) =>
      isInStartPeriod(CHECK, { health, startedAt, time: new Date(Date.parse(startedAt) + second * 1000) });
    assert.deepEqual([at(0), at(4.9), at(5)], [true, true, false]);
    assert.equal(at(1, { ...STARTING, status: 'healthy' }), false);
  });
});
