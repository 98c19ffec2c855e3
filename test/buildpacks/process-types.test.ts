import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { BuildPlan } from '../../buildpacks/build-plan.ts';
import { processTypes } from '../../buildpacks/process-types.ts';
import { sourceTree } from '../fixtures/directory-tree.ts';

describe('processTypes()', () => {
  const plan: BuildPlan = { name: 'Test', steps: [], processes: { web: 'node server.js' }, env: {} };

  it('takes the defaults without a Procfile', async () => {
    assert.deepEqual(await processTypes(sourceTree({}), plan), {
      commands: { web: 'node server.js' },
      procfile: [],
      defaults: ['web'],
    });
  });

  it('puts the Procfile over the defaults', async () => {
    const tree = sourceTree({ Procfile: 'worker: w\nweb: mine\n' });
    assert.deepEqual(await processTypes(tree, plan), {
      commands: { web: 'mine', worker: 'w' },
      procfile: ['worker', 'web'],
      defaults: ['web'],
    });
  });

  it('refuses an app that nothing tells how to start', async () => {
    const tree = sourceTree({ Procfile: '# nothing yet\n' });
    await assert.rejects(
      processTypes(tree, { ...plan, processes: {} }),
      /Nothing tells how to start this app/,
    );
  });
});
