import { createHash } from 'node:crypto';
import type { BuildPlan, BuildStep } from '../../buildpacks/build-plan.ts';
import type { SourceTree } from '../../buildpacks/source-tree.ts';

/** Raised when a step of the same plan would come out differently than before. */
const FORMAT = 'paas-layer-1';

/**
 * One key per step of a plan, before anything runs: the key of what it stands on, the step itself (without its
 * words for the pusher) and the content of what it reads. The last one also holds the image's environment.
 */
export function layerKeys(plan: BuildPlan, tree: SourceTree, base: string): string[] {
  const keys: string[] = [];
  let parent = hash([FORMAT, base]);
  for (const [index, step] of plan.steps.entries()) {
    const last = index === plan.steps.length - 1;
    parent = hash([
      parent,
      JSON.stringify(essence(step)),
      ...reads(step, tree),
      last ? JSON.stringify(plan.env) : '',
    ]);
    keys.push(parent);
  }
  return keys;
}

function essence(step: BuildStep): object {
  if (step.kind === 'source') return step;
  const { title: _title, ...rest } = step;
  if (rest.kind !== 'run') return rest;
  const { cached: _cached, advice: _advice, ...run } = rest;
  return run;
}

/** A step that reads the source as a whole stands on the source step, whose key holds every file already. */
function reads(step: BuildStep, tree: SourceTree): string[] {
  if (step.kind === 'source') return [...tree.files].flat();
  if (step.kind !== 'run' || step.reads === 'source') return [];
  return step.reads.flatMap((path) => [path, tree.files.get(path) ?? '']);
}

function hash(parts: string[]): string {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(`${Buffer.byteLength(part)}:${part}`);
  return digest.digest('hex').slice(0, 40);
}
