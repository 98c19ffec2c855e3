import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { PaasError } from '../model/paas-error.ts';
import { connectRedis } from './redis.ts';

export interface BuildJob {
  id: number;
  app: string;
}

export interface BuildQueueOptions {
  /** Unix socket path or redis:// URL. */
  redis: string;
  /** In front of every key: instances may share a Redis. */
  prefix: string;
  /** Builds at once. */
  concurrency: number;
  run: (id: number) => Promise<void>;
  log: (text: string) => void;
}

interface Waiting extends BuildJob {
  queued: boolean;
  done: () => void;
  fail: (error: PaasError) => void;
}

/** How long a Redis that is away is waited for before a build fails. */
const REDIS_AWAY_MS = 30_000;

/**
 * The order in which builds run: one at a time an app, as many at once as there are cores. BullMQ carries the jobs;
 * what is waiting is also known here, so that a Redis that lost its data gets the jobs back.
 */
export class BuildQueue {
  #options: BuildQueueOptions;
  #connection: Redis;
  #queue: Queue;
  #worker: Worker;
  #jobs = new Map<number, Waiting>();
  #running = new Set<number>();

  constructor(options: BuildQueueOptions) {
    this.#options = options;
    this.#connection = connectRedis(options.redis);
    const shared = { connection: this.#connection, prefix: options.prefix };
    this.#queue = new Queue('builds', {
      ...shared,
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
    });
    this.#worker = new Worker('builds', (job) => this.#run(Number(job.data.id)), {
      connection: connectRedis(options.redis),
      prefix: options.prefix,
      concurrency: options.concurrency,
      maxStalledCount: 0,
      autorun: false,
    });
    const complain = (error: Error) => options.log(`build queue: ${error.message}`);
    this.#queue.on('error', complain);
    this.#worker.on('error', complain);
    this.#connection.on('ready', () => void this.#restore().catch(complain));
  }

  /** Forgets jobs of an earlier control (their pushers are gone) and begins to take new ones. */
  async start(): Promise<void> {
    await this.#queue.obliterate({ force: true });
    this.#worker.run().catch((error) => this.#options.log(`build queue: ${error.message}`));
  }

  /** Resolves when the build has ended, however it did. Throws `unavailable` where Redis does not take it. */
  submit(job: BuildJob): Promise<void> {
    const ended = new Promise<void>((done, fail) => {
      this.#jobs.set(job.id, { ...job, queued: false, done, fail });
    });
    this.#addRunnable();
    return ended;
  }

  /** Builds that run or wait before this one, of this app only where it waits for the app. */
  ahead(id: number): BuildJob[] {
    const job = this.#jobs.get(id);
    if (!job || this.#running.has(id)) return [];
    const before = [...this.#jobs.values()].filter((other) => other.id < id);
    const ofApp = before.filter((other) => other.app === job.app);
    if (ofApp.length > 0) return ofApp;
    return this.#running.size < this.#options.concurrency ? [] : before;
  }

  /** Takes a build that has not begun out of the line. False where it runs or is not there. */
  async withdraw(id: number): Promise<boolean> {
    const job = this.#jobs.get(id);
    if (!job || this.#running.has(id)) return false;
    this.#finish(id);
    await this.#queue.remove(jobId(id)).catch(() => {});
    return true;
  }

  async close(): Promise<void> {
    await this.#worker.close(true).catch(() => {});
    await this.#queue.close().catch(() => {});
    this.#connection.disconnect();
  }

  async #run(id: number): Promise<void> {
    if (!this.#jobs.has(id) || this.#running.has(id)) return;
    this.#running.add(id);
    try {
      await this.#options.run(id);
    } finally {
      this.#finish(id);
    }
  }

  #finish(id: number): void {
    const job = this.#jobs.get(id);
    this.#running.delete(id);
    this.#jobs.delete(id);
    job?.done();
    this.#addRunnable();
  }

  /** Gives BullMQ the first waiting build of each app that has none under way. */
  #addRunnable(): void {
    const busy = new Set<string>();
    for (const job of this.#jobs.values()) {
      if (busy.has(job.app)) continue;
      busy.add(job.app);
      if (job.queued) continue;
      job.queued = true;
      void this.#addInTime(job);
    }
  }

  /** ioredis keeps what it cannot send until Redis is back; a pusher should not wait for ever. */
  async #addInTime(job: Waiting): Promise<void> {
    const error = new PaasError('unavailable', 'The build queue does not answer. Push again in a moment.');
    const timer = setTimeout(() => {
      job.fail(error);
      this.#finish(job.id);
    }, REDIS_AWAY_MS);
    await this.#add(job).catch((cause) => this.#options.log(`build queue: ${cause.message}`));
    clearTimeout(timer);
  }

  async #add(job: BuildJob): Promise<void> {
    await this.#queue.add('build', { id: job.id }, { jobId: jobId(job.id) });
  }

  /** Redis is back: whatever it should hold and does not, it gets again (a known job id is not added twice). */
  async #restore(): Promise<void> {
    for (const job of this.#jobs.values()) {
      if (job.queued && !this.#running.has(job.id)) await this.#add(job);
    }
  }
}

/** BullMQ takes no whole number for a job's id. */
function jobId(id: number): string {
  return `build-${id}`;
}
