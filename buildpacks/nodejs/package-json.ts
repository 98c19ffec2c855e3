import { BuildpackError } from '../buildpack.ts';
import { asObject, parseJson, stringEntries } from '../json.ts';
import type { SourceTree } from '../source-tree.ts';

/** What of a package.json decides about a build. */
export interface PackageJson {
  /** `engines`: e.g. `node` → `26.x`. */
  engines: Map<string, string>;
  scripts: Map<string, string>;
  /** Package → wanted version, of dependencies and optionalDependencies. */
  dependencies: Map<string, string>;
  devDependencies: Map<string, string>;
  /** e.g. `pnpm@10.2.0`, without the hash that may follow. */
  packageManager: string | undefined;
  workspaces: boolean;
}

/** Reads the tree's package.json; throws `BuildpackError` with the position where it is broken. */
export async function readPackageJson(tree: SourceTree): Promise<PackageJson> {
  const json = parseJson((await tree.read('package.json')) ?? '', 'package.json');
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new BuildpackError('package.json must hold one object: { … }.');
  }
  const fields = asObject(json);
  const packageManager = fields.packageManager;
  return {
    engines: stringEntries(fields.engines),
    scripts: stringEntries(fields.scripts),
    dependencies: new Map([
      ...stringEntries(fields.dependencies),
      ...stringEntries(fields.optionalDependencies),
    ]),
    devDependencies: stringEntries(fields.devDependencies),
    packageManager: typeof packageManager === 'string' ? packageManager.split('+')[0] : undefined,
    workspaces: fields.workspaces !== undefined,
  };
}
