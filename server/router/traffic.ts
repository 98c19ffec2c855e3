import type { Writable } from 'node:stream';

/** What one app answered since the last time that somebody was told. */
export interface TrafficCount {
  app: string;
  /** How many answers of each class: 1xx, 2xx, 3xx, 4xx, 5xx. */
  statuses: number[];
  /** Of bodies, to the clients. */
  bytes: number;
  /** Milliseconds of all requests together, but for tunnels. */
  time: number;
  /** How many requests took how long: those in place i at most latencyBound(i) milliseconds, those in the last place any time. */
  latencies: number[];
}

/** Counts requests by app; a count costs less than the line of the log that says the same. */
export class Traffic {
  readonly #interval: number;
  #apps = new Map<string, TrafficCount>();
  readonly #followers = new Set<Writable>();
  #timer: NodeJS.Timeout | undefined;

  /** `interval`: milliseconds from one report to the next. */
  constructor(options: { interval?: number } = {}) {
    this.#interval = options.interval ?? 10_000;
  }

  count(app: string, answer: { status: number; bytes: number; time: number }): void {
    let count = this.#apps.get(app);
    if (!count) {
      count = { app, statuses: [0, 0, 0, 0, 0], bytes: 0, time: 0, latencies: new Array(PLACES).fill(0) };
      this.#apps.set(app, count);
    }
    const { status, bytes, time } = answer;
    const kind = Math.floor(status / 100) - 1;
    count.statuses[kind < 0 || kind > 4 ? 4 : kind]!++;
    count.bytes += bytes;
    // How long a tunnel was open says nothing of how fast the app is.
    if (status === SWITCHED) return;
    count.time += time;
    count.latencies[latencyPlace(time)]!++;
  }

  /** A TrafficCount a line for every app with requests, each interval, until the stream ends. */
  follow(stream: Writable): void {
    this.#followers.add(stream);
    for (const end of ['close', 'error']) stream.on(end, () => this.#followers.delete(stream));
    this.#timer ??= setInterval(() => this.report(), this.#interval).unref();
    this.report();
  }

  /** Tells what was counted; it is kept while nobody follows. */
  report(): void {
    if (this.#followers.size === 0 || this.#apps.size === 0) return;
    const lines = [...this.#apps.values()].map((count) => `${JSON.stringify(count)}\n`).join('');
    this.#apps = new Map();
    for (const stream of this.#followers) stream.write(lines);
  }
}

/** Milliseconds. */
export function latencyBound(place: number): number {
  return FIRST * FACTOR ** place;
}

function latencyPlace(time: number): number {
  if (time <= FIRST) return 0;
  return Math.min(PLACES - 1, Math.ceil(Math.log(time / FIRST) * PER_LOG));
}

/** From 0.25 ms to 72 s, each half as long again as the one before. */
const FIRST = 0.25;
const FACTOR = 1.5;
const PLACES = 32;
const PER_LOG = 1 / Math.log(FACTOR);
const SWITCHED = 101;
