import semver from 'semver';
import { BuildpackError } from '../buildpack.ts';
import { npmEnv, npmLeftovers, npmStep } from './npm.ts';
import type { PackageManager, PackageManagerNeeds } from './package-manager.ts';

const cache = '/tmp/yarn-cache';

/** Yarn 1. Later Yarns are other programs that are not in the registry's `yarn`, so they are refused. */
export async function yarn(needs: PackageManagerNeeds): Promise<PackageManager> {
  const { tree, context } = needs;
  if (await isLaterYarn(needs)) {
    throw new BuildpackError(
      'This app uses Yarn 2 or later; only Yarn 1, npm and pnpm are supported.\nTo go on with npm: npm install --package-lock-only, then commit package-lock.json and remove yarn.lock.',
    );
  }
  const version = semver.maxSatisfying(await context.versions('yarn'), '1.x');
  if (version === null) throw new BuildpackError('The registry has no Yarn 1 (package "yarn").');
  const lockfile = tree.files.has('yarn.lock') ? 'yarn.lock' : undefined;
  const install = `yarn install --non-interactive --no-progress${lockfile === undefined ? '' : ' --frozen-lockfile'}`;
  return {
    name: 'yarn',
    steps: [
      await npmStep(needs),
      {
        kind: 'package',
        title: `Installing Yarn ${version}`,
        package: 'yarn',
        version,
        path: '/usr/local/lib/node_modules/yarn',
        links: { '/usr/local/bin/yarn': '../lib/node_modules/yarn/bin/yarn.js' },
      },
    ],
    lockfile,
    settings: ['.npmrc', '.yarnrc'].filter((file) => tree.files.has(file)),
    installAll: `${install} --production=false`,
    installProduction: `${install} --production=true`,
    // Yarn 1 has no `prune` command; an install for production removes the rest.
    prune: `${install} --production=true --ignore-scripts`,
    env: { ...npmEnv, YARN_CACHE_FOLDER: cache },
    leftovers: [...npmLeftovers, cache, '/tmp/v8-compile-cache-*'],
  };
}

async function isLaterYarn({ tree, packageJson }: PackageManagerNeeds): Promise<boolean> {
  const declared = /^yarn@(.+)$/.exec(packageJson.packageManager ?? '')?.[1];
  if (declared !== undefined && semver.valid(declared) !== null) return semver.major(declared) > 1;
  return tree.files.has('.yarnrc.yml') || /^__metadata:/m.test((await tree.read('yarn.lock')) ?? '');
}
