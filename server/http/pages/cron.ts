import { DEFAULT_TIME_LIMIT } from '../../../deploy/model/cron-entry.ts';
import { minuteText } from '../../../deploy/model/minute-text.ts';
import type { CronJobView } from '../../../deploy/platform/runs.ts';
import { changeApp } from '../change.ts';
import type { Exchange } from '../exchange.ts';

interface Form {
  schedule: string;
  command: string;
}

export async function show(exchange: Exchange): Promise<void> {
  await showWith(exchange, '');
}

export async function add(exchange: Exchange): Promise<void> {
  const form = { schedule: exchange.field('schedule'), command: exchange.field('command') };
  await change(
    exchange,
    (app) => {
      const entry = { ...form, concurrency: 'forbid' as const, timeLimit: DEFAULT_TIME_LIMIT };
      const { id } = exchange.platform.cron.add(app, entry, exchange.user);
      return `Added the job ${id}.`;
    },
    form,
  );
}

export async function run(exchange: Exchange): Promise<void> {
  const id = exchange.field('job');
  await change(exchange, async (app) => {
    const { name } = await exchange.platform.cron.run(app, id, exchange.user);
    return `Job ${id} runs in ${name}.`;
  });
}

export async function suspend(exchange: Exchange): Promise<void> {
  const id = exchange.field('job');
  const suspended = exchange.field('suspended') === 'yes';
  await change(exchange, (app) => {
    exchange.platform.cron.setSuspended(app, id, suspended, exchange.user);
    return suspended ? `Job ${id} rests.` : `Job ${id} runs by its schedule again.`;
  });
}

export async function remove(exchange: Exchange): Promise<void> {
  const id = exchange.field('job');
  await change(exchange, (app) => {
    exchange.platform.cron.remove(app, id, exchange.user);
    return `Removed the job ${id}.`;
  });
}

async function change(
  exchange: Exchange,
  work: (app: string) => string | Promise<string>,
  form?: Form,
): Promise<void> {
  await changeApp(exchange, {
    tab: 'cron',
    work,
    showAgain: (problem) =>
      showWith(exchange, problem.message, { status: problem.status, ...(form && { form }) }),
  });
}

async function showWith(
  exchange: Exchange,
  problem: string,
  { status = 200, form = { schedule: '', command: '' } }: { status?: number; form?: Form } = {},
): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app'));
  const jobs = exchange.platform.cron.list(app.name).map(jobRow);
  await exchange.page('cron/list', { app, jobs, form: { ...form, problem }, tab: 'cron' }, status);
}

function jobRow({ next, last, ...job }: CronJobView) {
  const state = last && (last.status === undefined ? 'running' : `status ${last.status}`);
  return {
    ...job,
    next: next === undefined ? '' : minuteText(next),
    last: last ? { at: last.at, dyno: last.dyno, state, failed: (last.status ?? 0) !== 0 } : null,
  };
}
