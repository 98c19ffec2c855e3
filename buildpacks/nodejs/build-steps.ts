import type { BuildStep, RunStep } from '../build-plan.ts';
import type { SourceTree } from '../source-tree.ts';
import type { PackageJson } from './package-json.ts';
import type { PackageManager } from './package-manager.ts';

/** Scripts of the app that an install runs by itself (docs.npmjs.com/cli/using-npm/scripts). */
const lifecycle = [
  'preinstall',
  'install',
  'postinstall',
  'prepublish',
  'preprepare',
  'prepare',
  'postprepare',
  'dependencies',
];

/** What the steps are decided from. */
export interface App {
  tree: SourceTree;
  packageJson: PackageJson;
  manager: PackageManager;
}

/**
 * The steps from the installed tools to the finished app. Dependencies come before the source where nothing of the
 * source can change them, so that a push with the same lockfile finds them made.
 */
export function buildSteps(app: App): BuildStep[] {
  const { scripts } = app.packageJson;
  const build = ['heroku-postbuild', 'build'].find((script) => scripts.has(script));
  // Lifecycle scripts (husky, patch-package, tsc) are mostly development tools, as a build is.
  const development = build !== undefined || hasLifecycle(app);
  const install = installStep(app, { development });
  const script = (name: string) => (scripts.has(name) ? [scriptStep(app, name)] : []);
  const early = install !== undefined && !installNeedsSource(app);
  return [
    ...(early ? [install] : []),
    { kind: 'source' },
    ...script('heroku-prebuild'),
    ...(install !== undefined && !early ? [install] : []),
    ...(build === undefined ? [] : [scriptStep(app, build)]),
    ...(install !== undefined && development ? pruneSteps(app) : []),
    ...script('heroku-cleanup'),
  ];
}

function installStep(app: App, { development }: { development: boolean }): RunStep | undefined {
  const { manager, packageJson, tree } = app;
  const wanted = packageJson.dependencies.size + (development ? packageJson.devDependencies.size : 0);
  if (wanted === 0 && !packageJson.workspaces && !hasLifecycle(app)) return undefined;
  const command = development ? manager.installAll : manager.installProduction;
  const needsSource = installNeedsSource(app);
  const files = ['package.json', ...(manager.lockfile === undefined ? [] : [manager.lockfile])];
  const title = `Installing dependencies with ${command.split(' ').slice(0, 2).join(' ')}`;
  return {
    ...managerStep(manager, {
      command,
      title: manager.lockfile === undefined ? `${title} (no lockfile)` : title,
    }),
    reads: needsSource ? 'source' : [...files, ...manager.settings].filter((file) => tree.files.has(file)),
    ...(needsSource ? {} : { cached: `${manager.lockfile ?? 'package.json'} has not changed` }),
    ...(manager.lockfile !== undefined && {
      advice: `Should ${manager.lockfile} not fit package.json: ${manager.name} install brings it up to date. Commit it, too.`,
    }),
  };
}

function scriptStep({ manager }: App, script: string): RunStep {
  const title = script === 'build' || script === 'heroku-postbuild' ? 'Building' : 'Running';
  return managerStep(manager, { command: `npm run ${script}`, title: `${title} with npm run ${script}` });
}

function pruneSteps({ manager, packageJson }: App): RunStep[] {
  if (packageJson.devDependencies.size === 0) return [];
  return [managerStep(manager, { command: manager.prune, title: 'Pruning devDependencies' })];
}

function managerStep(
  manager: PackageManager,
  { command, title }: { command: string; title: string },
): RunStep {
  return {
    kind: 'run',
    title,
    command: `${command}\nrm -rf ${manager.leftovers.join(' ')}`,
    reads: 'source',
    user: 'app',
    network: true,
    env: manager.env,
  };
}

/** Whether more than package.json, lockfile and settings can change what an install makes. */
function installNeedsSource(app: App): boolean {
  const { packageJson, tree } = app;
  const specifiers = [...packageJson.dependencies.values(), ...packageJson.devDependencies.values()];
  return (
    packageJson.scripts.has('heroku-prebuild') ||
    hasLifecycle(app) ||
    packageJson.workspaces ||
    specifiers.some((specifier) => /^(file:|link:|portal:|workspace:|patch:|\.|\/|~\/)/.test(specifier)) ||
    [...tree.files.keys()].some((path) => /^(node_modules|patches)\/|^pnpm-workspace\.yaml$/.test(path))
  );
}

function hasLifecycle({ packageJson, tree }: App): boolean {
  // npm compiles an app that has a binding.gyp, without any script.
  return lifecycle.some((script) => packageJson.scripts.has(script)) || tree.files.has('binding.gyp');
}
