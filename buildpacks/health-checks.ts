import { BuildpackError } from './buildpack.ts';
import { asObject } from './json.ts';

export type HealthCheckType = 'startup' | 'readiness' | 'liveness';

/** How to ask a web dyno whether it is well: GET `path`, answered with a status below 400, or `status`, and `content` in the page. */
export interface HealthCheck {
  type: HealthCheckType;
  name: string;
  path: string;
  content: string;
  /** undefined: any below 400. */
  status: number | undefined;
  /** Failures in a row until it counts. */
  attempts: number;
  /** Seconds: before the first, between two, and for the answer. */
  initialDelay: number;
  wait: number;
  timeout: number;
}

const TYPES: HealthCheckType[] = ['startup', 'readiness', 'liveness'];
const MAX_SECONDS = 3600;

/** The key `healthchecks` of an app.json, as Dokku has it. Throws `BuildpackError` with the place of what is wrong. */
export function parseHealthChecks(healthchecks: unknown): HealthCheck[] {
  const web = asObject(healthchecks).web;
  if (web === undefined) return [];
  if (!Array.isArray(web)) throw new BuildpackError('app.json: healthchecks.web must be a list of checks.');
  return web.map((check, index) =>
    parseHealthCheck(asObject(check), (name) => `app.json: healthchecks.web[${index}].${name}`),
  );
}

/** One check; `nameOf` says in an error where a setting stands. Throws `BuildpackError`. */
export function parseHealthCheck(
  check: Record<string, unknown>,
  nameOf: (setting: string) => string,
): HealthCheck {
  const number = (name: string, usual: number, [least, most]: [number, number]) => {
    const value = check[name] ?? usual;
    if (typeof value === 'number' && value >= least && value <= most) return value;
    throw new BuildpackError(`${nameOf(name)} must be a number from ${least} to ${most}.`);
  };
  const text = (name: string, usual: string) => {
    const value = check[name] ?? usual;
    if (typeof value === 'string' && value.length <= 1000 && !/[\0\r\n]/.test(value)) return value;
    throw new BuildpackError(`${nameOf(name)} must be a text of one line.`);
  };
  const type = TYPES.find((known) => known === (check.type ?? 'startup'));
  if (!type) throw new BuildpackError(`${nameOf('type')} must be one of ${TYPES.join(', ')}.`);
  const path = text('path', '/');
  if (!/^\/[!-~]*$/.test(path)) throw new BuildpackError(`${nameOf('path')} must begin with "/".`);
  return {
    type,
    path,
    name: text('name', `${type} check`),
    content: text('content', ''),
    status: check.status === undefined ? undefined : number('status', 200, [100, 599]),
    attempts: number('attempts', 3, [1, 100]),
    initialDelay: number('initialDelay', 0, [0, MAX_SECONDS]),
    wait: number('wait', 5, [0.1, MAX_SECONDS]),
    timeout: number('timeout', 5, [0.1, MAX_SECONDS]),
  };
}
