import semver from 'semver';
import { BuildpackError } from '../buildpack.ts';
import { npmEnv, npmLeftovers, npmStep } from './npm.ts';
import type { PackageManager, PackageManagerNeeds } from './package-manager.ts';

const home = '/tmp/pnpm';

/** The pnpm line that writes a lockfile version. */
const linesByLockfile: ReadonlyMap<string, string> = new Map([
  ['5', '7.x'],
  ['6', '8.x'],
  ['9', '10.x'],
]);

/** pnpm up to 11, by `packageManager`, `engines.pnpm` or the lockfile's version. */
export async function pnpm(needs: PackageManagerNeeds): Promise<PackageManager> {
  const version = await choosePnpm(needs);
  const lockfile = needs.tree.files.has('pnpm-lock.yaml') ? 'pnpm-lock.yaml' : undefined;
  // As `--config.…`, which every command takes.
  const folders = ['store', 'cache', 'state'].map((name) => `--config.${name}-dir=${home}/${name}`).join(' ');
  const frozen = lockfile === undefined ? '--no-frozen-lockfile' : '--frozen-lockfile';
  const settings = ['.npmrc', '.pnpmfile.cjs', '.pnpmfile.mjs'];
  return {
    name: 'pnpm',
    steps: [
      await npmStep(needs),
      {
        kind: 'package',
        title: `Installing pnpm ${version}`,
        package: 'pnpm',
        version,
        path: '/usr/local/lib/node_modules/pnpm',
        links: {
          '/usr/local/bin/pnpm': `../lib/node_modules/pnpm/bin/pnpm.${semver.major(version) < 11 ? 'cjs' : 'mjs'}`,
        },
      },
    ],
    lockfile,
    settings: settings.filter((file) => needs.tree.files.has(file)),
    // --prod=false: NODE_ENV is production here.
    installAll: `pnpm install ${frozen} --prod=false ${folders}`,
    installProduction: `pnpm install ${frozen} --prod ${folders}`,
    // It asks before it removes node_modules, unless in CI.
    prune: `CI=true pnpm prune --prod --ignore-scripts ${folders}`,
    env: npmEnv,
    leftovers: [...npmLeftovers, home],
  };
}

async function choosePnpm({ tree, packageJson, context }: PackageManagerNeeds): Promise<string> {
  const { packageManager, engines } = packageJson;
  const declared = /^pnpm@(.+)$/.exec(packageManager ?? '')?.[1] ?? engines.get('pnpm');
  const range = declared ?? (await rangeByLockfile(await tree.read('pnpm-lock.yaml')));
  const versions = (await context.versions('pnpm')).filter((version) => semver.satisfies(version, '6 - 11'));
  const version = semver.validRange(range) === null ? null : semver.maxSatisfying(versions, range);
  if (version !== null) return version;
  throw new BuildpackError(
    `No usable pnpm fits ${JSON.stringify(range)} (packageManager or engines.pnpm in package.json, or the version of pnpm-lock.yaml); pnpm 6 to 11 are supported.`,
  );
}

function rangeByLockfile(lockfile: string | undefined): string {
  if (lockfile === undefined) return '10.x';
  const version = /^lockfileVersion: *['"]?(\d+)/m.exec(lockfile)?.[1];
  return linesByLockfile.get(version ?? '') ?? `lockfileVersion ${version ?? 'unknown'}`;
}
