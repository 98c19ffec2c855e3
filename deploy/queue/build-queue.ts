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
  /** Milliseconds, for tests; else STUCK_MS. */
  stuckAfter?: number;
  log: (text: string) => void;
}

interface Waiting extends BuildJob {
  queued: boolean;
  done: () => void;
  fail: (error: PaasError) => void;
}

/** How long a place may stay free while a build waits: then Redis is away, hangs, or has lost the job, and the build fails. */
const STUCK_MS = 30_000;

/**
 * The order in which builds run: one at a time an app, so many at once in all. BullMQ carries the jobs, the first of each app:
 * apps take turns, however many builds each has waiting. What is waiting is also known here, so that a Redis that lost its data gets the jobs back.
 */
export class BuildQueue {
  #options: BuildQueueOptions;
  #connection: Redis;
  #queue: Queue;
  #worker: Worker;
  #jobs = new Map<number, Waiting>();
  #running = new Set<number>();
  #watch: NodeJS.Timeout;
  /** Since when a place has been free while a build waited. */
  #stuckSince: number | undefined;

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
      runRetryDelay: 500, // after a lost connection; BullMQ's own is 15 s
      autorun: false,
    });
    const complain = (error: Error) => options.log(`build queue: ${error.message}`);
    this.#queue.on('error', complain);
    this.#worker.on('error', complain);
    this.#connection.on('ready', () => void this.#restore().catch(complain));
    this.#watch = setInterval(() => this.#failStuck(), this.#stuckAfter / 6).unref();
  }

  /** Forgets jobs of an earlier control (their pushers are gone) and begins to take new ones. */
  async start(): Promise<void> {
    await this.#queue.obliterate({ force: true });
    this.#worker.run().catch((error) => this.#options.log(`build queue: ${error.message}`));
  }

  /** Resolves when the build has ended, however it did. Throws `unavailable` where Redis does not carry it. */
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
  withdraw(id: number): boolean {
    if (!this.#jobs.has(id) || this.#running.has(id)) return false;
    this.#finish(id);
    // Not waited for: Redis may be away, and a job that nobody knows is left out when its turn comes.
    this.#queue.remove(jobId(id)).catch(() => {});
    return true;
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
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
      this.#add(job).catch((cause) => this.#options.log(`build queue: ${cause.message}`));
    }
  }

  get #stuckAfter(): number {
    return this.#options.stuckAfter ?? STUCK_MS;
  }

  /** ioredis keeps what it cannot send until Redis is back; a pusher should not wait for ever. */
  #failStuck(): void {
    const waiting = [...this.#jobs.values()].filter((job) => job.queued && !this.#running.has(job.id));
    const isFree = this.#running.size < this.#options.concurrency;
    if (waiting.length === 0 || !isFree) this.#stuckSince = undefined;
    else this.#stuckSince ??= Date.now();
    if (this.#stuckSince === undefined || Date.now() - this.#stuckSince < this.#stuckAfter) return;
    this.#options.log(`build queue: Redis carries no jobs; ${waiting.length} waiting builds fail`);
    for (const job of waiting) {
      job.fail(new PaasError('unavailable', 'The build queue does not answer. Push again in a moment.'));
      this.withdraw(job.id);
    }
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
