import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseOciConfig } from '../../../runtime/images/oci-config.ts';

const withConfig = (config: object) =>
  parseOciConfig(JSON.stringify({ config, rootfs: { type: 'layers', diff_ids: [] } })).image.config;

describe('parseOciConfig()', () => {
  it('takes a health check as it is', () => {
    const Healthcheck = { Test: ['CMD', 'true'], Interval: 1_500_000_000, Retries: 3 };
    assert.deepEqual(withConfig({ Healthcheck }).Healthcheck, Healthcheck);
    assert.equal(withConfig({ Healthcheck: null }).Healthcheck, undefined);
  });

  it('refuses numbers that clients could not read again', () => {
    for (const Healthcheck of [{ Interval: 1.5 }, { Timeout: '3s' }, { Retries: 2 ** 60 }])
      assert.throws(() => withConfig({ Healthcheck }), {
        code: 'invalid',
        message: /malformed: Healthcheck/,
      });
  });
});
