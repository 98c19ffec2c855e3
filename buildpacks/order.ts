import { type Buildpack, BuildpackError } from './buildpack.ts';
import { nodejs } from './nodejs/nodejs.ts';
import { procfile } from './procfile/procfile.ts';
import { python } from './python/python.ts';
import type { SourceTree } from './source-tree.ts';
import { staticSite } from './static/static-site.ts';

/** Every buildpack, in the order in which they are asked; the first that detects the app builds it. */
export const buildpacks: readonly Buildpack[] = [nodejs, python, staticSite, procfile];

/** The buildpack for a source tree. Throws `BuildpackError` where none detects it. */
export function detectBuildpack(tree: SourceTree): Buildpack {
  const buildpack = buildpacks.find((candidate) => candidate.detect(tree));
  if (buildpack === undefined) throw new BuildpackError(nothingDetected(tree));
  return buildpack;
}

function nothingDetected(tree: SourceTree): string {
  const width = Math.max(...buildpacks.map(({ name }) => name.length));
  return [
    tree.files.size === 0 ? 'The pushed commit has no files.' : 'No buildpack detects this app. Looked for:',
    ...(tree.files.size === 0
      ? []
      : buildpacks.map((pack) => `  ${pack.name.padEnd(width)}  ${pack.looksFor}`)),
    'Add one of these files at the root of the repository, commit it and push again.',
  ].join('\n');
}
