import type { BuildPlan } from '../build-plan.ts';
import { type BuildContext, type Buildpack, BuildpackError } from '../buildpack.ts';
import type { SourceTree } from '../source-tree.ts';
import { systemPath } from '../system-path.ts';
import { buildSteps } from './build-steps.ts';
import { nodeStep } from './node-step.ts';
import { chooseNode } from './node-version.ts';
import { readPackageJson } from './package-json.ts';
import { choosePackageManager } from './package-manager.ts';
import { webCommand } from './web-command.ts';

/** Node.js apps, as Heroku builds them: package.json says the versions, the dependencies and the scripts. */
export const nodejs: Buildpack = {
  id: 'nodejs',
  name: 'Node.js',
  looksFor: 'package.json',
  detect: (tree) => tree.files.has('package.json'),
  plan: planNodejs,
};

async function planNodejs(tree: SourceTree, context: BuildContext): Promise<BuildPlan> {
  const packageJson = await readPackageJson(tree);
  const web = webCommand(packageJson, tree);
  if (web === undefined && !tree.files.has('Procfile')) throw new BuildpackError(nothingToStart);
  const node = await chooseNode(packageJson.engines.get('node'), context);
  const manager = await choosePackageManager({ tree, packageJson, node: node.version, context });
  return {
    name: 'Node.js',
    steps: [nodeStep(node, context), ...manager.steps, ...buildSteps({ tree, packageJson, manager })],
    processes: web === undefined ? {} : { web },
    env: { NODE_ENV: 'production', PATH: `/app/node_modules/.bin:${systemPath}` },
  };
}

const nothingToStart = [
  'Nothing tells how to start this app: package.json has no "start" script, and there is no server.js and no Procfile.',
  'Add one of these:',
  '  package.json  "scripts": { "start": "node index.js" }',
  '  Procfile      web: node index.js',
].join('\n');
