import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseHealthChecks } from '../../buildpacks/health-checks.ts';
import { withSet } from '../../deploy/formation/app-checks.ts';

describe('withSet()', () => {
  it('lets a check that was set take the place of one of the same name, and says where each comes from', () => {
    const released = parseHealthChecks({ web: [{ path: '/old' }, { type: 'liveness' }] });
    const set = parseHealthChecks({ web: [{ path: '/new' }, { type: 'readiness', name: 'own' }] });
    assert.deepEqual(
      withSet(released, set).map(({ name, path, source }) => [name, path, source]),
      [
        ['liveness check', '/', 'app.json'],
        ['startup check', '/new', 'command'],
        ['own', '/', 'command'],
      ],
    );
  });
});
