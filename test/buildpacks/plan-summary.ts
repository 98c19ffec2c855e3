import type { BuildPlan, BuildStep } from '../../buildpacks/build-plan.ts';

/** A plan as a few lines: what each step is and when it is made anew. */
export function summary(plan: BuildPlan): string[] {
  return [
    ...plan.steps.map(describe),
    ...Object.entries(plan.processes).map(([type, command]) => `${type}: ${command}`),
  ];
}

function describe(step: BuildStep): string {
  if (step.kind === 'source') return 'source';
  if (step.kind === 'file') return `file ${step.path}`;
  if (step.kind === 'package') return `package ${step.package}@${step.version} in ${step.path}`;
  const reads = step.reads === 'source' ? 'source' : step.reads.join(' ') || 'nothing';
  const [command] = step.command.split('\nrm -rf ');
  return `${step.user}${step.network ? '' : ' offline'}: ${command} < ${reads}`;
}
