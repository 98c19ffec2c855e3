import { EngineError } from '../../engine-error.ts';
import type { HealthConfig } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';

const LEAST_NANOSECONDS = 1e6;

/** Reads `Healthcheck`; undefined: nothing is said. Throws `invalid`. */
export function parseHealthcheck(fields: RequestFields): HealthConfig | undefined {
  if (fields.names().length === 0) return undefined;
  const time = (name: string) => fields.integer(name, { min: LEAST_NANOSECONDS });
  return {
    Test: requireTest(fields.strings('Test')),
    Interval: time('Interval'),
    Timeout: time('Timeout'),
    StartPeriod: time('StartPeriod'),
    StartInterval: time('StartInterval'),
    Retries: fields.integer('Retries', { min: 1, max: 1_000_000 }),
  };
}

/** What `over` says, field by field, in place of `config`: an image's times stay where only the test is given. */
export function mergeHealth(
  config: HealthConfig | undefined,
  over: HealthConfig | undefined,
): HealthConfig | undefined {
  if (!config || !over) return over ?? config;
  return {
    Test: over.Test.length > 0 ? over.Test : config.Test,
    Interval: over.Interval || config.Interval,
    Timeout: over.Timeout || config.Timeout,
    StartPeriod: over.StartPeriod || config.StartPeriod,
    StartInterval: over.StartInterval || config.StartInterval,
    Retries: over.Retries || config.Retries,
  };
}

function requireTest(test: string[]): string[] {
  const [kind, ...rest] = test;
  const isRight =
    test.length === 0 ||
    (kind === 'NONE' && rest.length === 0) ||
    (kind === 'CMD' && rest.length > 0) ||
    (kind === 'CMD-SHELL' && rest.length === 1);
  if (isRight) return test;
  throw new EngineError(
    'invalid',
    'Healthcheck.Test must be ["NONE"], ["CMD", program, …] or ["CMD-SHELL", line].',
  );
}
