import { defaultRepeatStrategy } from 'bullmq';
import type { AppJsonCronJob } from '../../buildpacks/app-json.ts';
import { quote } from '../model/app-name.ts';
import { CONCURRENCIES, type CronEntry, DEFAULT_TIME_LIMIT } from '../model/cron-entry.ts';
import { PaasError } from '../model/paas-error.ts';

/** Checks a schedule and returns it with single spaces. Throws `invalid`. */
export function parseSchedule(text: string): string {
  const schedule = text.trim().split(/\s+/).join(' ');
  const shape = /^(@(yearly|annually|monthly|weekly|daily|hourly)|\S+( \S+){4})$/;
  if (!shape.test(schedule) || schedule.length > 100) throw refuse(text, 'it has not five fields');
  try {
    if (nextRun(schedule, new Date())) return schedule;
  } catch (error) {
    throw refuse(text, (error as Error).message);
  }
  throw refuse(text, 'it never comes');
}

/** A job of app.json. Throws `invalid`. */
export function parseCronJob({ schedule, command, concurrency }: AppJsonCronJob): CronEntry {
  const policy = CONCURRENCIES.find((known) => known === concurrency);
  if (!policy) {
    throw new PaasError(
      'invalid',
      `app.json: ${quote(concurrency)} is no concurrency_policy: it is one of ${CONCURRENCIES.join(', ')}.`,
    );
  }
  return { schedule: inAppJson(schedule), command, concurrency: policy, timeLimit: DEFAULT_TIME_LIMIT };
}

function inAppJson(schedule: string): string {
  try {
    return parseSchedule(schedule);
  } catch (cause) {
    throw new PaasError('invalid', `app.json, cron: ${(cause as Error).message}`, { cause });
  }
}

/** Undefined: never. */
export function nextRun(schedule: string, after: Date): Date | undefined {
  const next = defaultRepeatStrategy(after.getTime(), { pattern: schedule, tz: 'UTC' });
  return next === undefined ? undefined : new Date(next);
}

function refuse(text: string, why: string): PaasError {
  return new PaasError(
    'invalid',
    `${quote(text)} is no schedule: ${why}. It should look like "0 3 * * *" (every day at 3:00 UTC) or @hourly.`,
  );
}
