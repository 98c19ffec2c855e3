import semver from 'semver';
import type { PackageStep } from '../build-plan.ts';
import { BuildpackError } from '../buildpack.ts';
import type { PackageManager, PackageManagerNeeds } from './package-manager.ts';

/** The npm line that runs on a range of Node.js (`engines.node` of the newest of each line), newest first. */
const lines: readonly { node: string; npm: string }[] = [
  { node: '^20.17.0 || >=22.9.0', npm: '11.x' },
  { node: '^18.17.0 || >=20.5.0', npm: '10.x' },
  { node: '^14.17.0 || ^16.13.0 || >=18.0.0', npm: '9.x' },
  { node: '^12.13.0 || >=14.0.0', npm: '8.x' },
  { node: '*', npm: '6.x' },
];

/** npm: `npm ci` with a lockfile, `npm install` without. */
export async function npm(needs: PackageManagerNeeds): Promise<PackageManager> {
  const { tree } = needs;
  // npm itself prefers the shrinkwrap where both are there.
  const lockfile = ['npm-shrinkwrap.json', 'package-lock.json'].find((file) => tree.files.has(file));
  const command = lockfile === undefined ? 'npm install' : 'npm ci';
  return {
    name: 'npm',
    steps: [await npmStep(needs)],
    lockfile,
    settings: ['.npmrc'].filter((file) => tree.files.has(file)),
    installAll: `${command} --include=dev`,
    installProduction: `${command} --omit=dev`,
    prune: 'npm prune --omit=dev',
    env: npmEnv,
    leftovers: npmLeftovers,
  };
}

/** HOME is /app: without its own place, npm's cache would become a part of the app. */
export const npmEnv = {
  npm_config_cache: '/tmp/npm-cache',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
};

/** npm turns on Node.js's compile cache for itself, which is of no use to the app. */
export const npmLeftovers = [npmEnv.npm_config_cache, '/tmp/node-compile-cache'];

/** Lays npm and npx into /usr/local; every Node.js app has them, whatever installs its dependencies. */
export async function npmStep({ packageJson, node, context }: PackageManagerNeeds): Promise<PackageStep> {
  const wanted = packageJson.engines.get('npm');
  const range = wanted ?? lines.find((line) => semver.satisfies(node, line.node))!.npm;
  if (semver.validRange(range) === null) {
    throw new BuildpackError(`engines.npm in package.json is ${JSON.stringify(range)}, not a version range.`);
  }
  const version = semver.maxSatisfying(await context.versions('npm'), range);
  if (version === null) {
    throw new BuildpackError(
      `No published npm fits engines.npm ${JSON.stringify(range)} in package.json. Change it, or remove it for the npm that goes with Node.js ${node}.`,
    );
  }
  return {
    kind: 'package',
    title: `Installing npm ${version} (${wanted === undefined ? `for Node.js ${node}` : `engines.npm: ${wanted}`})`,
    package: 'npm',
    version,
    path: '/usr/local/lib/node_modules/npm',
    links: {
      '/usr/local/bin/npm': '../lib/node_modules/npm/bin/npm-cli.js',
      '/usr/local/bin/npx': '../lib/node_modules/npm/bin/npx-cli.js',
    },
  };
}
