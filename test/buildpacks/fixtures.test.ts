import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { detectBuildpack } from '../../buildpacks/order.ts';
import { processTypes } from '../../buildpacks/process-types.ts';
import { directoryTree, fixtureApp } from '../fixtures/directory-tree.ts';
import { context } from './build-context.ts';

const refused: Record<string, RegExp> = {
  'bad-engine': /No published Node\.js fits engines\.node "\^26\.999\.0"/,
  'bad-package-json': /package\.json is not valid JSON, line 5, column 5/,
  'bad-procfile': /Procfile, line 4: process type "web" is already declared in line 1/,
};

describe('fixture apps', () => {
  for (const app of readdirSync(fixtureApp(''))) {
    const message = refused[app];
    it(`${app} ${message === undefined ? 'can be planned' : 'is refused'}`, async () => {
      const tree = directoryTree(fixtureApp(app));
      const planned = detectBuildpack(tree)
        .plan(tree, context)
        .then((plan) => processTypes(tree, plan));
      if (message === undefined) assert.ok((await planned).commands.web);
      else await assert.rejects(planned, { name: 'BuildpackError', message });
    });
  }

  it('name no registry in their lockfiles', () => {
    const locks = readdirSync(fixtureApp('')).map((app) => join(fixtureApp(app), 'package-lock.json'));
    for (const lock of locks.filter((path) => existsSync(path))) {
      assert.doesNotMatch(readFileSync(lock, 'utf8'), /"resolved"/, lock);
    }
  });
});
