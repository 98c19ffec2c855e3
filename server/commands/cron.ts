import { quote } from '../../deploy/model/app-name.ts';
import { CONCURRENCIES, type Concurrency } from '../../deploy/model/cron-entry.ts';
import { minuteText } from '../../deploy/model/minute-text.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { CronJobView } from '../../deploy/platform/runs.ts';
import type { Argument, Command } from './command.ts';
import { parseDuration } from './duration.ts';
import { logText } from './logs.ts';
import { joinCommand } from './run.ts';
import { textTable } from './text-table.ts';
import { timeText } from './time-text.ts';

const JOB: Argument = { name: 'JOB', summary: "a job's id, as `cron` lists it", required: true };

const list: Command = {
  name: 'cron',
  aliases: ['cron:list', 'cron:report'],
  summary: 'List the cron jobs of an app with their last run and their next',
  details: ['Jobs come from the key `cron` of app.json and from cron:add. Times are UTC.'],
  app: 'required',
  examples: ['cron -a blog', 'cron blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const jobs = platform.cron.list(app);
    if (json) return out.json(jobs.map(jobJson));
    if (jobs.length === 0)
      return out.note(`${app} has no cron jobs: cron:add makes one, or the key "cron" of app.json.`);
    out.lines(textTable(['JOB', 'SCHEDULE', 'NEXT', 'LAST', 'FROM', 'COMMAND'], jobs.map(jobRow)));
  },
};

const add: Command = {
  name: 'cron:add',
  summary: 'Run a command by a schedule',
  details: [
    'The schedule has five fields (minute, hour, day of the month, month, day of the week) in UTC, or is @hourly, @daily, @weekly,',
    '@monthly or @yearly. Each run is a one-off dyno of the release that is current then. Plain ssh drops the quotes: it is understood without.',
  ],
  app: 'required',
  args: [
    { name: 'SCHEDULE', summary: 'e.g. "0 3 * * *"', required: true },
    {
      name: 'COMMAND',
      summary: 'the command with its arguments',
      required: true,
      repeated: true,
      verbatim: true,
    },
  ],
  flags: [
    {
      name: 'concurrency',
      value: 'POLICY',
      summary: 'while the last run goes on: forbid (skip this one; the default), allow, or replace',
    },
    { name: 'timeout', value: 'TIME', summary: 'stop a run after this time, e.g. 30m; 24h without it' },
  ],
  examples: [
    'cron:add -a blog "0 3 * * *" npm run cleanup',
    'cron:add -a blog --concurrency replace --timeout 10m @hourly ./sync.sh',
  ],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json, flag }) {
    const { schedule, command } = splitJob(args);
    const job = platform.cron.add(
      app,
      {
        schedule,
        command: joinCommand(command),
        concurrency: parseConcurrency(flag('concurrency') ?? 'forbid'),
        timeLimit: parseDuration(flag('timeout') ?? '24h'),
      },
      caller.user,
    );
    if (json) return out.json(jobJson(job));
    out.note(`Added ${job.id} to ${app}; it runs first at ${nextText(job)}.`);
  },
};

const remove: Command = {
  name: 'cron:remove',
  summary: 'Remove a cron job that was added by cron:add',
  app: 'required',
  args: [JOB],
  examples: ['cron:remove 1a2b3c4d -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    platform.cron.remove(app, args[0]!, caller.user);
    out.note(`Removed ${args[0]} from ${app}.`);
  },
};

const run: Command = {
  name: 'cron:run',
  summary: 'Run a cron job now, beside its schedule',
  app: 'required',
  args: [JOB],
  examples: ['cron:run 1a2b3c4d -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    const dyno = await out.action(
      `Running ${args[0]} of ${app}`,
      () => platform.cron.run(app, args[0]!, caller.user),
      ({ name }) => `up, ${name}`,
    );
    out.note(`Follow it with: paas logs -t -d ${dyno.name} -a ${app}`);
  },
};

const output: Command = {
  name: 'cron:output',
  summary: 'Print what the last run of a cron job said',
  app: 'required',
  args: [JOB],
  examples: ['cron:output 1a2b3c4d -a blog'],
  access: 'look',
  async run({ platform, app, args, out }) {
    const job = platform.cron.list(app).find(({ id }) => id === args[0]);
    if (!job)
      throw new PaasError(
        'not_found',
        `${app} has no cron job ${quote(args[0]!)}. \`paas cron -a ${app}\` lists those there are.`,
      );
    if (!job.last) return out.note(`${job.id} has not run yet; it will at ${nextText(job)}.`);
    for await (const line of platform.logs.read(app, { dyno: job.last.dyno, lines: 10_000 }))
      await out.write(logText(line));
  },
};

const suspend: Command = {
  name: 'cron:suspend',
  summary: 'Let a cron job rest until cron:resume',
  app: 'required',
  args: [JOB],
  examples: ['cron:suspend 1a2b3c4d -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    platform.cron.setSuspended(app, args[0]!, true, caller.user);
    out.note(`Suspended ${args[0]} of ${app}.`);
  },
};

const resume: Command = {
  name: 'cron:resume',
  summary: 'Let a suspended cron job run again',
  app: 'required',
  args: [JOB],
  examples: ['cron:resume 1a2b3c4d -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    platform.cron.setSuspended(app, args[0]!, false, caller.user);
    out.note(`Resumed ${args[0]} of ${app}.`);
  },
};

export const cronCommands: Command[] = [list, add, remove, run, output, suspend, resume];

/** Plain ssh drops the quotes around a schedule: its five fields are words of their own then, of which the first is no schedule. */
function splitJob(args: string[]): { schedule: string; command: string[] } {
  const fields = args.slice(0, SCHEDULE_FIELDS);
  const isLoose = args.length > SCHEDULE_FIELDS && fields.every((field) => /^[\w*/,-]+$/.test(field));
  const length = isLoose ? SCHEDULE_FIELDS : 1;
  return { schedule: args.slice(0, length).join(' '), command: args.slice(length) };
}

const SCHEDULE_FIELDS = 5;

function parseConcurrency(text: string): Concurrency {
  const policy = CONCURRENCIES.find((known) => known === text);
  if (!policy)
    throw new PaasError('invalid', `${quote(text)} is no policy: it is one of ${CONCURRENCIES.join(', ')}.`);
  return policy;
}

function jobRow(job: CronJobView): string[] {
  return [job.id, job.schedule, nextText(job), lastText(job), job.source, job.command];
}

function nextText({ next, suspended }: CronJobView): string {
  if (suspended) return 'suspended';
  return next ? minuteText(next) : 'never';
}

function lastText({ last }: CronJobView): string {
  if (!last) return '-';
  return `${last.status === undefined ? 'running' : `status ${last.status}`} ${timeText(last.at)}`;
}

function jobJson({ next, last, ...job }: CronJobView) {
  return {
    ...job,
    next: next?.toISOString() ?? null,
    last: last ? { at: last.at.toISOString(), dyno: last.dyno, status: last.status ?? null } : null,
  };
}
