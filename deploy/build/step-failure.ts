import type { BuildStep } from '../../buildpacks/build-plan.ts';
import { PaasError } from '../model/paas-error.ts';

/** How the command of a step ended. */
export interface StepEnd {
  status: number;
  oomKilled: boolean;
  /** It said so. */
  foundNoSpace: boolean;
}

/**
 * What failed, why as far as is known, and what to do about it; what the command said itself stands above that. `limits`: bytes of
 * memory, and of disk (0: no limit). Code `invalid`.
 */
export function stepFailure(
  step: BuildStep,
  { status, oomKilled, foundNoSpace }: StepEnd,
  limits: { memory: number; disk: number },
): PaasError {
  const what = step.kind === 'source' ? 'Unpacking the source' : step.title;
  const lines = [`${what} failed: the command exited with status ${status}.`];
  if (oomKilled)
    lines.push(`It took more memory than a step of a build may here (${inMegabytes(limits.memory)}).`);
  if (foundNoSpace) lines.push(`It found no space left: ${whyNoSpace(limits.disk)}`);
  if (lines.length === 1) lines.push('What it said stands above: mend that, commit, and push again.');
  if (step.kind === 'run' && step.advice) lines.push(step.advice);
  return new PaasError('invalid', lines.join('\n'));
}

/** As programs tell ENOSPC. */
export function tellsNoSpace(text: string): boolean {
  return /No space left on device|ENOSPC/.test(text);
}

function whyNoSpace(limit: number): string {
  if (limit === 0) return 'the disk of this machine is full.';
  return `a step of a build may write ${inMegabytes(limit)} here (PAAS_DISK_LIMIT), if this machine has as much.`;
}

function inMegabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MB`;
}
