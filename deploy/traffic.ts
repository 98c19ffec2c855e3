import { addLatencies, latencyQuantile } from './model/latency.ts';
import type { TrafficCount } from './model/router.ts';
import type { Metrics, TrafficMinute, TrafficPeriod } from './platform.ts';
import type { AppStore } from './store/app-store.ts';
import { addTraffic, NO_TRAFFIC, type TrafficStore, type TrafficSum } from './store/traffic-store.ts';

/** What the apps answer: the minute at hand in memory, a week of minutes in the store. */
export class AppTraffic implements Metrics {
  readonly #apps: AppStore;
  readonly #store: TrafficStore;
  readonly #log: (text: string) => void;
  readonly #now: () => number;
  #minute = 0;
  #current = new Map<string, TrafficSum>();
  #timer: NodeJS.Timeout | undefined;
  /** What periods() said last: a page asks twice a second. */
  readonly #said = new Map<string, { at: number; periods: TrafficPeriod[] }>();
  /** Of each app since the start, by classes of status, for what counts by itself. */
  readonly totals = new Map<string, Omit<TrafficCount, 'app'>>();

  /** `now`: milliseconds since the epoch. */
  constructor(options: {
    apps: AppStore;
    store: TrafficStore;
    log: (text: string) => void;
    now?: () => number;
  }) {
    this.#apps = options.apps;
    this.#store = options.store;
    this.#log = options.log;
    this.#now = options.now ?? Date.now;
    this.#minute = this.#minuteNow();
  }

  start(): void {
    this.#timer = setInterval(() => this.#save(), MINUTE / 4).unref();
  }

  /** Keeps what there is. */
  close(): void {
    clearInterval(this.#timer);
    this.#write();
  }

  /** Takes what a router counted. */
  note(count: TrafficCount): void {
    if (!this.#apps.has(count.app)) return;
    this.#save();
    const { app, ...rest } = count;
    this.#said.delete(app);
    this.#current.set(app, addTraffic(this.#current.get(app) ?? NO_TRAFFIC, sumOf(rest)));
    const total = this.totals.get(app);
    this.totals.set(app, total ? added(total, rest) : rest);
  }

  periods(app: string): TrafficPeriod[] {
    const { name } = this.#apps.find(app);
    const now = this.#minuteNow();
    const said = this.#said.get(name);
    if (said?.at === now) return said.periods;
    const minutes = this.#since(name, now - KEPT);
    const periods = PERIODS.map(({ name, length }) => {
      const within = minutes.filter(({ minute }) => minute > now - length);
      const sum = within.map(({ sum }) => sum).reduce(addTraffic, NO_TRAFFIC);
      return { name, seconds: length * 60, ...figuresOf(sum) };
    });
    this.#said.set(name, { at: now, periods });
    return periods;
  }

  minutes(app: string, count: number): TrafficMinute[] {
    const { name } = this.#apps.find(app);
    const minutes = this.#since(name, this.#minuteNow() - count + 1);
    return minutes.map(({ minute, sum }) => ({ at: new Date(minute * MINUTE), ...figuresOf(sum) }));
  }

  #since(app: string, minute: number): { minute: number; sum: TrafficSum }[] {
    const current = this.#current.get(app);
    const kept = this.#store.since(app, minute);
    if (!current) return kept;
    const last = kept.at(-1);
    // Written before a restart in the midst of this minute.
    const sum = last?.minute === this.#minute ? addTraffic(kept.pop()!.sum, current) : current;
    return [...kept, { minute: this.#minute, sum }];
  }

  #minuteNow(): number {
    return Math.floor(this.#now() / MINUTE);
  }

  /** When its minute is over. */
  #save(): void {
    const now = this.#minuteNow();
    if (now === this.#minute) return;
    this.#write();
    this.#minute = now;
  }

  #write(): void {
    if (this.#current.size === 0) return;
    try {
      this.#store.add(this.#minute, this.#current);
      this.#store.removeBefore(this.#minute - KEPT);
    } catch (error) {
      // Such as a full disk: nothing that a request or a deploy should suffer from.
      this.#log(`cannot keep the traffic of a minute: ${(error as Error).message}`);
    }
    this.#current = new Map();
  }
}

function sumOf({ statuses, bytes, time, latencies }: Omit<TrafficCount, 'app'>): TrafficSum {
  return {
    requests: statuses.reduce((sum, count) => sum + count, 0),
    clientErrors: statuses[3] ?? 0,
    serverErrors: statuses[4] ?? 0,
    bytes,
    time,
    latencies,
  };
}

function added(a: Omit<TrafficCount, 'app'>, b: Omit<TrafficCount, 'app'>): Omit<TrafficCount, 'app'> {
  return {
    statuses: addLatencies(a.statuses, b.statuses),
    bytes: a.bytes + b.bytes,
    time: a.time + b.time,
    latencies: addLatencies(a.latencies, b.latencies),
  };
}

function figuresOf({ requests, clientErrors, serverErrors, bytes, latencies }: TrafficSum) {
  const quantile = (share: number) => latencyQuantile(latencies, share);
  return {
    requests,
    clientErrors,
    serverErrors,
    bytes,
    p50: quantile(0.5),
    p95: quantile(0.95),
    p99: quantile(0.99),
  };
}

const MINUTE = 60_000;
/** Minutes. */
const KEPT = 7 * 24 * 60;
const PERIODS = [
  { name: '5 minutes', length: 5 },
  { name: 'hour', length: 60 },
  { name: 'day', length: 24 * 60 },
  { name: 'week', length: KEPT },
];
