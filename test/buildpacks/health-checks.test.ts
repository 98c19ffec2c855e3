import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseHealthChecks } from '../../buildpacks/health-checks.ts';

describe('parseHealthChecks()', () => {
  it("has Dokku's defaults", () => {
    assert.deepEqual(parseHealthChecks({ web: [{}] }), [
      {
        type: 'startup',
        name: 'startup check',
        path: '/',
        content: '',
        status: undefined,
        attempts: 3,
        initialDelay: 0,
        wait: 5,
        timeout: 5,
      },
    ]);
    assert.deepEqual(parseHealthChecks(undefined), []);
  });

  for (const [check, message] of [
    [{ type: 'uptime' }, /healthchecks\.web\[0\]\.type must be one of startup, readiness, liveness/],
    [{ path: 'health' }, /\.path must begin with "\/"/],
    [{ path: '/a b' }, /\.path must begin/],
    [{ name: 'a\nb' }, /\.name must be a text of one line/],
    [{ attempts: 0 }, /\.attempts must be a number from 1 to 100/],
    [{ wait: '5' }, /\.wait must be a number/],
    [{ timeout: -1 }, /\.timeout must be a number/],
    [{ status: 1000 }, /\.status must be a number from 100 to 599/],
  ] as const) {
    it(`refuses ${JSON.stringify(check)}`, () => {
      assert.throws(() => parseHealthChecks({ web: [check] }), { message });
    });
  }

  it('refuses what is no list', () => {
    assert.throws(() => parseHealthChecks({ web: {} }), { message: /must be a list/ });
  });
});
