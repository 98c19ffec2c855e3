import type { PackageStep } from '../build-plan.ts';
import type { BuildContext } from '../buildpack.ts';
import { type ChosenVersion, nodePackage } from './node-version.ts';

/** Lays `node` into /usr/local/bin. Only the binary: npm is a package of its own, headers and manuals nobody reads. */
export function nodeStep({ version, reason }: ChosenVersion, context: BuildContext): PackageStep {
  return {
    kind: 'package',
    title: `Installing Node.js ${version} (${reason})`,
    package: nodePackage(context),
    version,
    path: '/usr/local',
    include: ['bin/node'],
  };
}
