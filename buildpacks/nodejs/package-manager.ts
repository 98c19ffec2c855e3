import type { PackageStep } from '../build-plan.ts';
import { type BuildContext, BuildpackError } from '../buildpack.ts';
import type { SourceTree } from '../source-tree.ts';
import { npm } from './npm.ts';
import type { PackageJson } from './package-json.ts';
import { pnpm } from './pnpm.ts';
import { yarn } from './yarn.ts';

/** How one package manager's commands are called; each is a shell command in /app. */
export interface PackageManager {
  name: string;
  /** Steps that lay the tool itself into the image. */
  steps: PackageStep[];
  /** Its lockfile in the tree, undefined where there is none. */
  lockfile: string | undefined;
  /** Other files that change what an install does, where the tree has them. */
  settings: string[];
  installAll: string;
  installProduction: string;
  prune: string;
  /** Settings of its commands, none of which the running app needs. */
  env: Record<string, string>;
  /** Caches and stores to remove after each command, below /tmp. */
  leftovers: string[];
}

/** What a package manager is made from. */
export interface PackageManagerNeeds {
  tree: SourceTree;
  packageJson: PackageJson;
  /** Exact version of the chosen Node.js. */
  node: string;
  context: BuildContext;
}

const lockfiles = new Map([
  ['package-lock.json', npm],
  ['npm-shrinkwrap.json', npm],
  ['yarn.lock', yarn],
  ['pnpm-lock.yaml', pnpm],
]);

/** Chooses npm, Yarn or pnpm by the lockfile, then by `packageManager`; npm where neither says anything. */
export async function choosePackageManager(needs: PackageManagerNeeds): Promise<PackageManager> {
  const found = [...lockfiles.keys()].filter((file) => needs.tree.files.has(file));
  const makers = new Set(found.map((file) => lockfiles.get(file)!));
  if (makers.size > 1) throw new BuildpackError(severalLockfiles(found));
  const [maker = byField(needs.packageJson)] = makers;
  return maker(needs);
}

function byField({ packageManager }: PackageJson): typeof npm {
  const name = packageManager?.split('@')[0];
  return name === 'yarn' ? yarn : name === 'pnpm' ? pnpm : npm;
}

function severalLockfiles(found: string[]): string {
  return [
    `Lockfiles of several package managers: ${found.join(', ')}.`,
    'They can disagree about versions. Keep the one that you use, and remove the others:',
    `  git rm ${found.slice(1).join(' ')}`,
  ].join('\n');
}
