import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { Repositories } from '../../deploy/receive/repositories.ts';

describe('Repositories.prepare()', () => {
  it('takes repositories of apps that are no more away, and no others', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'repositories-'));
    try {
      const repositories = new Repositories(folder);
      for (const app of ['kept', 'gone']) await repositories.ensure(app);
      await repositories.prepare((app) => app === 'kept');
      assert.deepEqual(readdirSync(folder).sort(), ['hooks', 'kept.git']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
