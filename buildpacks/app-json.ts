import { BuildpackError } from './buildpack.ts';
import { type HealthCheck, parseHealthChecks } from './health-checks.ts';
import { asObject, parseJson } from './json.ts';

/** What of an app.json the platform uses. */
export interface AppJson {
  /** Process type → how many dynos a new app starts with. */
  formation: Record<string, number>;
  /** Config vars of a new app, by name. */
  env: Record<string, AppJsonVariable>;
  /** Commands to run by a schedule, as written. */
  cron: AppJsonCronJob[];
  /** Of web dynos. */
  checks: HealthCheck[];
  /** Process type → how many of its dynos may boot at once in a deploy. */
  maxParallel: Record<string, number>;
  /** A command that runs in the image before it is released; what it writes becomes part of it. */
  predeploy: string | undefined;
  /** Commands that run when a release is live. */
  hooks: { postdeploy?: string; firstDeploy?: string };
}

export interface AppJsonVariable {
  value: string | undefined;
  /** A new app gets a random one. */
  isSecret: boolean;
  /** Somebody has to set it before the first release, if it has no value here. */
  required: boolean;
}

export interface AppJsonCronJob {
  schedule: string;
  command: string;
  /** `forbid` where nothing is said. */
  concurrency: string;
}

/** Of a process type: a typing mistake should not start ten thousand processes. */
export const MOST_DYNOS = 100;
/** Of an app. */
export const MOST_JOBS = 100;

/** Parses an app.json, with `//` comments; throws `BuildpackError` with the position for broken JSON and for wrong values. */
export function parseAppJson(text: string): AppJson {
  const json = asObject(parseJson(withoutComments(text), 'app.json'));
  return {
    formation: numbersOf(json.formation, 'quantity', [0, MOST_DYNOS]),
    maxParallel: numbersOf(json.formation, 'max_parallel', [1, 1000]),
    env: parseEnv(json.env),
    cron: parseCron(json.cron),
    checks: parseHealthChecks(json.healthchecks),
    ...parseScripts(json.scripts),
  };
}

/** One setting of each process type that has it, a whole number. */
function numbersOf(
  formation: unknown,
  name: string,
  [least, most]: [number, number],
): Record<string, number> {
  const entries = Object.entries(asObject(formation)).flatMap(([type, settings]) => {
    const value = asObject(settings)[name];
    if (value === undefined) return [];
    const number = Number.isInteger(value) ? (value as number) : -1;
    if (number >= least && number <= most) return [[type, number]];
    throw new BuildpackError(
      `app.json: formation.${type}.${name} is ${JSON.stringify(value)}; it must be a whole number from ${least} to ${most}.`,
    );
  });
  return Object.fromEntries(entries);
}

/** As Heroku's schema has it: a text, or an object whose `required` is true unless it says otherwise. */
function parseEnv(env: unknown): Record<string, AppJsonVariable> {
  const entries = Object.entries(asObject(env)).map(([name, entry]) => {
    const { value, generator, required } = asObject(typeof entry === 'string' ? { value: entry } : entry);
    if (value !== undefined && typeof value !== 'string')
      throw new BuildpackError(`app.json: env.${name}.value must be a text, not ${JSON.stringify(value)}.`);
    if (generator !== undefined && generator !== 'secret')
      throw new BuildpackError(
        `app.json: env.${name}.generator is ${JSON.stringify(generator)}; there is "secret".`,
      );
    return [name, { value, isSecret: generator !== undefined, required: required !== false }] as const;
  });
  return Object.fromEntries(entries);
}

/** `scripts.dokku` as Dokku has it; `scripts.postdeploy` is Heroku's, after the first deploy of an app alone. */
function parseScripts(scripts: unknown): Pick<AppJson, 'predeploy' | 'hooks'> {
  const all = asObject(scripts);
  const dokku = asObject(all.dokku);
  const command = (value: unknown, name: string) => {
    if (value === undefined || value === '') return undefined;
    if (typeof value === 'string' && !value.includes('\0')) return value;
    throw new BuildpackError(`app.json: scripts.${name} must be a text, not ${JSON.stringify(value)}.`);
  };
  const postdeploy = command(dokku.postdeploy, 'dokku.postdeploy');
  const firstDeploy = command(all.postdeploy, 'postdeploy');
  return {
    predeploy: command(dokku.predeploy, 'dokku.predeploy') ?? command(all.predeploy, 'predeploy'),
    hooks: {
      ...(postdeploy !== undefined && { postdeploy }),
      ...(firstDeploy !== undefined && { firstDeploy }),
    },
  };
}

function parseCron(jobs: unknown): AppJsonCronJob[] {
  if (jobs === undefined) return [];
  if (!Array.isArray(jobs)) throw new BuildpackError('app.json: cron must be a list of jobs.');
  if (jobs.length > MOST_JOBS)
    throw new BuildpackError(`app.json: cron has ${jobs.length} jobs; there can be ${MOST_JOBS}.`);
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
