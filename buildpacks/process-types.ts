import type { BuildPlan } from './build-plan.ts';
import { BuildpackError } from './buildpack.ts';
import { parseProcfile } from './procfile.ts';
import type { SourceTree } from './source-tree.ts';

/** The process types of a build and where they come from. */
export interface ProcessTypes {
  /** Process type → command: the Procfile's over the buildpack's defaults. */
  commands: Record<string, string>;
  /** For `Procfile declares types     -> web, worker`. */
  procfile: string[];
  /** For `Default types for buildpack -> web`. */
  defaults: string[];
}

/**
 * Merges the Procfile's process types over the plan's. Pure reading: call it before the first build step, so that a broken
 * Procfile is refused at once. Throws `BuildpackError` for a broken Procfile, and where nothing tells how to start the app.
 */
export async function processTypes(tree: SourceTree, plan: BuildPlan): Promise<ProcessTypes> {
  const text = await tree.read('Procfile');
  const declared = text === undefined ? {} : parseProcfile(text);
  const commands = { ...plan.processes, ...declared };
  if (Object.keys(commands).length === 0) {
    throw new BuildpackError(
      'Nothing tells how to start this app. Add a line to the file "Procfile", e.g.\n  web: ./server $PORT',
    );
  }
  return { commands, procfile: Object.keys(declared), defaults: Object.keys(plan.processes) };
}
