import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { connectRedis } from '../queue/redis.ts';

export interface CronClockOptions {
  /** Unix socket path or redis:// URL. */
  redis: string;
  prefix: string;
  tick: (key: string) => Promise<void>;
  log: (text: string) => void;
  /** Milliseconds between two looks at whether the machine's clock was set back, for tests; else 30 s. */
  lookEvery?: number;
}

/** A clock that is so many milliseconds behind where it should be was set back. */
const SET_BACK_MS = 10_000;

/** Calls back when a schedule's time has come, by BullMQ's job schedulers. Without schedules it holds no connection. */
export class CronClock {
  #options: CronClockOptions;
  #schedules = new Map<string, string>();
  #applied = new Map<string, string>();
  #parts: { connections: Redis[]; queue: Queue; worker: Worker } | undefined;
  #applying: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CronClockOptions) {
    this.#options = options;
  }

  /** These schedules by key, and no others, count from now on. */
  set(schedules: Map<string, string>): void {
    this.#schedules = schedules;
    this.#applying = this.#applying.then(() => this.#apply()).catch((error) => this.#complain(error));
  }

  async close(): Promise<void> {
    const parts = this.#parts;
    clearInterval(this.#timer);
    await parts?.worker.close(true).catch(() => {});
    await parts?.queue.close().catch(() => {});
    for (const connection of parts?.connections ?? []) connection.disconnect();
  }

  async #apply(): Promise<void> {
    if (this.#schedules.size === 0 && !this.#parts) return;
    this.#parts ??= await this.#open();
    const { queue } = this.#parts;
    for (const key of this.#applied.keys()) {
      if (this.#schedules.has(key)) continue;
      await queue.removeJobScheduler(key);
      this.#applied.delete(key);
    }
    for (const [key, pattern] of this.#schedules) {
      if (this.#applied.get(key) === pattern) continue;
      await queue.upsertJobScheduler(key, { pattern, tz: 'UTC' }, { name: 'tick', data: { key } });
      this.#applied.set(key, pattern);
    }
  }

  async #open() {
    const { redis, prefix } = this.#options;
    // A worker blocks the one that it has.
    const [connection, blocked] = [connectRedis(redis), connectRedis(redis)];
    const defaultJobOptions = { removeOnComplete: true, removeOnFail: true };
    const queue = new Queue('cron', { connection, prefix, defaultJobOptions });
    const worker = new Worker('cron', (job) => this.#options.tick(String(job.data.key)), {
      connection: blocked,
      prefix,
      concurrency: 20,
      autorun: false,
    });
    queue.on('error', (error) => this.#complain(error));
    worker.on('error', (error) => this.#complain(error));
    // What an earlier control scheduled may be long past.
    await queue.obliterate({ force: true });
    worker.run().catch((error) => this.#complain(error));
    connection.on('ready', () => this.#again());
    this.#watchClock();
    return { connections: [connection, blocked], queue, worker };
  }

  /** What was reckoned by a clock that was ahead would not come before that time does: an hour's job for a day, where it was a day. */
  #watchClock(): void {
    const ahead = () => Date.now() - performance.now();
    let before = ahead();
    this.#timer = setInterval(() => {
      const now = ahead();
      if (now < before - SET_BACK_MS) this.#again();
      before = now;
    }, this.#options.lookEvery ?? 30_000).unref();
  }

  /** A Redis that was away may have lost everything. */
  #again(): void {
    this.#applied.clear();
    this.set(this.#schedules);
  }

  #complain(error: Error): void {
    this.#options.log(`cron: ${error.message}`);
  }
}
