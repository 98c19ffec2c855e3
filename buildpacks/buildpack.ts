import type { BuildPlan } from './build-plan.ts';
import type { SourceTree } from './source-tree.ts';

/** What a buildpack may ask the outside, given by deploy/. */
export interface BuildContext {
  /** All published versions of an npm package, from a list that is at most a day old. */
  versions(packageName: string): Promise<string[]>;
  /** `x64` or `arm64` */
  architecture: string;
}

export interface Buildpack {
  /** e.g. `nodejs` */
  id: string;
  /** e.g. `Node.js` */
  name: string;
  /** The files by which it detects an app, in words: what a pusher is told where nothing was detected. */
  looksFor: string;
  detect(tree: SourceTree): boolean;
  /** Throws `BuildpackError` for what the developer has to mend. */
  plan(tree: SourceTree, context: BuildContext): Promise<BuildPlan>;
}

/** The pushed code cannot be built; the message says why, and what to change, in lines for the pusher. */
export class BuildpackError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'BuildpackError';
  }
}
