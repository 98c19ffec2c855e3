import { BuildpackError } from './buildpack.ts';
import { type HealthCheck, parseHealthChecks } from './health-checks.ts';
import { asObject, parseJson } from './json.ts';

/** What of an app.json the platform uses. */
export interface AppJson {
  /** Process type → how many dynos a new app starts with. */
  formation: Record<string, number>;
  /** Commands to run by a schedule, as written. */
  cron: AppJsonCronJob[];
  /** Of web dynos. */
  checks: HealthCheck[];
}

export interface AppJsonCronJob {
  schedule: string;
  command: string;
  /** `forbid` where nothing is said. */
  concurrency: string;
}

/** Parses an app.json, with `//` comments; throws `BuildpackError` with the position for broken JSON and for wrong values. */
export function parseAppJson(text: string): AppJson {
  const json = asObject(parseJson(withoutComments(text), 'app.json'));
  const formation = Object.entries(asObject(json.formation)).flatMap(([type, settings]) => {
    const quantity = asObject(settings).quantity;
    if (quantity === undefined) return [];
    if (!Number.isInteger(quantity) || (quantity as number) < 0) {
      throw new BuildpackError(
        `app.json: formation.${type}.quantity is ${JSON.stringify(quantity)}; it must be a whole number, 0 or more.`,
      );
    }
    return [[type, quantity as number]];
  });
  return {
    formation: Object.fromEntries(formation),
    cron: parseCron(json.cron),
    checks: parseHealthChecks(json.healthchecks),
  };
}

function parseCron(jobs: unknown): AppJsonCronJob[] {
  if (jobs === undefined) return [];
  if (!Array.isArray(jobs)) throw new BuildpackError('app.json: cron must be a list of jobs.');
  return jobs.map((job, index) => {
    const { schedule, command, concurrency_policy: concurrency = 'forbid' } = asObject(job);
    for (const [name, value] of Object.entries({ schedule, command, concurrency_policy: concurrency })) {
      if (typeof value === 'string' && value.trim() !== '') continue;
      throw new BuildpackError(
        `app.json: cron[${index}].${name} must be a text, not ${JSON.stringify(value)}.`,
      );
    }
    return { schedule, command, concurrency } as AppJsonCronJob;
  });
}

/** Blanks `// …` outside strings, so that positions in error messages stay right. */
function withoutComments(text: string): string {
  return text.replace(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*/g, (match) =>
    match.startsWith('"') ? match : ' '.repeat(match.length),
  );
}
