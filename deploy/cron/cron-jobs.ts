import { createHash } from 'node:crypto';
import { MOST_JOBS } from '../../buildpacks/app-json.ts';
import type { Activity } from '../activity.ts';
import type { AppLogs } from '../logs/app-log.ts';
import { quote } from '../model/app-name.ts';
import type { CronEntry } from '../model/cron-entry.ts';
import type { DynoLimits } from '../model/dyno-limits.ts';
import { PaasError } from '../model/paas-error.ts';
import type { Cron, CronJobView, RunView } from '../platform/runs.ts';
import type { ReleaseManager } from '../release-manager.ts';
import type { DetachedDyno, DetachedDynos } from '../runs/detached-dynos.ts';
import { commandOf } from '../runs/run-request.ts';
import type { AppStore } from '../store/app-store.ts';
import type { CronStore } from '../store/cron-store.ts';
import type { CronClock } from './cron-clock.ts';
import { nextRun, parseSchedule } from './schedule.ts';

/** On the container of a run. */
const LABEL = 'paas.cron';

export interface CronJobsOptions {
  apps: AppStore;
  store: CronStore;
  releases: ReleaseManager;
  detached: DetachedDynos;
  logs: AppLogs;
  activity: Activity;
  limitsOf: (app: string, type: string) => DynoLimits;
}

interface Job {
  entry: CronEntry;
  source: CronJobView['source'];
}

/** Commands that run by a schedule, each time in a one-off dyno: those of the current release's app.json, and those added by command. */
export class CronJobs implements Cron {
  #options: CronJobsOptions;
  #clock: CronClock | undefined;

  constructor(options: CronJobsOptions) {
    this.#options = options;
    options.detached.onEnd((dyno, { status }) => this.#ended(dyno, status));
  }

  /** The clock calls back into `tick`, so it comes second. */
  useClock(clock: CronClock): void {
    this.#clock = clock;
    this.sync();
  }

  list(app: string): CronJobView[] {
    this.#options.apps.find(app);
    const now = new Date();
    return [...this.#entries(app)].map(([id, { entry, source }]) => {
      const { suspended, last } = this.#options.store.state(app, id);
      const next = suspended ? undefined : nextRun(entry.schedule, now);
      return { id, ...entry, source, suspended, next, last };
    });
  }

  add(app: string, entry: CronEntry, user: string): CronJobView {
    this.#options.apps.find(app);
    const checked = { ...entry, schedule: parseSchedule(entry.schedule) };
    const id = idOf(checked);
    if (this.#entries(app).has(id)) throw new PaasError('conflict', `${app} has this job already: ${id}.`);
    if (this.#entries(app).size >= MOST_JOBS)
      throw new PaasError('conflict', `${app} has ${MOST_JOBS} jobs already.`);
    this.#options.store.add(app, id, checked);
    this.#note(app, user, { action: 'cron:add', text: `Cron job ${id} added` });
    this.sync();
    return this.#view(app, id);
  }

  remove(app: string, id: string, user: string): void {
    const job = this.#find(app, id);
    if (job.source === 'app.json') {
      throw new PaasError(
        'conflict',
        `${id} comes from app.json: take it out there and push, or suspend it with cron:suspend.`,
      );
    }
    this.#options.store.remove(app, id);
    this.#note(app, user, { action: 'cron:remove', text: `Cron job ${id} removed` });
    this.sync();
  }

  setSuspended(app: string, id: string, suspended: boolean, user: string): void {
    this.#find(app, id);
    this.#options.store.setSuspended(app, id, suspended);
    this.#note(app, user, {
      action: suspended ? 'cron:suspend' : 'cron:resume',
      text: `Cron job ${id} ${suspended ? 'suspended' : 'resumed'}`,
    });
    this.sync();
  }

  async run(app: string, id: string, user: string): Promise<RunView> {
    const { entry } = this.#find(app, id);
    const run = await this.#start(app, { id, entry, user });
    this.#options.activity.record({
      app,
      user,
      action: 'cron:run',
      text: `Ran cron job ${id} in ${run.name}`,
    });
    return run;
  }

  /** A job's time has come. */
  async tick(key: string): Promise<void> {
    const [app = '', id = ''] = key.split('.');
    if (!this.#options.apps.has(app)) return;
    const job = this.#entries(app).get(id);
    if (!job || this.#options.store.state(app, id).suspended) return;
    const running = this.#options.detached.list(app).filter((dyno) => dyno.labels[LABEL] === id);
    if (running.length > 0 && job.entry.concurrency === 'forbid') {
      this.#say(app, `Cron job ${id} skipped: ${running[0]!.name} still runs`);
      return;
    }
    if (job.entry.concurrency === 'replace')
      await Promise.all(running.map((dyno) => this.#options.detached.stop(dyno)));
    try {
      await this.#start(app, { id, entry: job.entry, user: 'cron' });
    } catch (error) {
      this.#say(app, `Cron job ${id} could not start: ${(error as Error).message}`);
    }
  }

  /** Jobs may have come or gone. */
  sync(): void {
    const schedules = this.#options.apps
      .list()
      .flatMap(({ name }) =>
        [...this.#entries(name)]
          .filter(([id]) => !this.#options.store.state(name, id).suspended)
          .map(([id, { entry }]) => [`${name}.${id}`, entry.schedule] as const),
      );
    this.#clock?.set(new Map(schedules));
  }

  async #start(app: string, job: { id: string; entry: CronEntry; user: string }): Promise<DetachedDyno> {
    const release = this.#options.releases.require(app);
    const dyno = await this.#options.detached.start({
      release,
      prefix: 'cron',
      command: commandOf(release, job.entry.command),
      user: job.user,
      limits: this.#options.limitsOf(app, 'run'),
      timeLimit: job.entry.timeLimit,
      labels: { [LABEL]: job.id },
    });
    this.#options.store.noteStart(app, job.id, dyno.name);
    return dyno;
  }

  #ended(dyno: DetachedDyno, status: number): void {
    const id = dyno.labels[LABEL];
    if (id !== undefined && this.#options.apps.has(dyno.app))
      this.#options.store.noteEnd(dyno.app, id, { dyno: dyno.name, status });
  }

  /** By id; one that stands in app.json and was added, too, is the added one. */
  #entries(app: string): Map<string, Job> {
    const jobs = new Map<string, Job>();
    for (const entry of this.#options.releases.current(app)?.cron ?? [])
      jobs.set(idOf(entry), { entry, source: 'app.json' });
    for (const [id, entry] of this.#options.store.list(app)) jobs.set(id, { entry, source: 'command' });
    return jobs;
  }

  #find(app: string, id: string): Job {
    this.#options.apps.find(app);
    const job = this.#entries(app).get(id);
    if (job) return job;
    throw new PaasError(
      'not_found',
      `${app} has no cron job ${quote(id)}. \`paas cron -a ${app}\` lists those there are.`,
    );
  }

  #view(app: string, id: string): CronJobView {
    return this.list(app).find((job) => job.id === id)!;
  }

  #note(app: string, user: string, what: { action: string; text: string }): void {
    this.#options.activity.note({ app, user, ...what });
  }

  #say(app: string, text: string): void {
    this.#options.logs.append(app, { source: 'paas', dyno: 'cron', text });
  }
}

/** The same command at the same times is the same job, from release to release. */
function idOf({ schedule, command }: CronEntry): string {
  return createHash('sha256').update(`${schedule}\n${command}`).digest('hex').slice(0, 8);
}
