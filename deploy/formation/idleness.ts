import type { Activity } from '../activity.ts';
import type { AppLogs } from '../logs/app-log.ts';
import type { KeyedMutex } from '../model/mutex.ts';
import { PaasError } from '../model/paas-error.ts';
import type { PortMapping } from '../model/port-mapping.ts';
import { spanText } from '../model/span-text.ts';
import type { Idle } from '../platform.ts';
import type { AppStore } from '../store/app-store.ts';
import type { PortStore } from '../store/port-store.ts';
import type { DynoManager } from './dyno-manager.ts';

/** Shorter, and an app would do nothing but stop and start. */
const LEAST_SECONDS = 5;

export interface IdlenessOptions {
  store: AppStore;
  ports: PortStore;
  dynos: DynoManager;
  logs: AppLogs;
  activity: Activity;
  lock: KeyedMutex;
}

/** Apps that nobody visits let their web dynos go; the next request is held by the router and brings them back. */
export class Idleness implements Idle {
  #options: IdlenessOptions;
  #lastRequest = new Map<string, number>();
  #timers = new Map<string, NodeJS.Timeout>();

  constructor(options: IdlenessOptions) {
    this.#options = options;
  }

  after(app: string): number | undefined {
    return this.#options.store.find(app).idleAfter;
  }

  awakeFor(app: string): PortMapping[] {
    return this.#options.ports.of(app).filter(({ type, protocol }) => type === 'web' && protocol !== 'http');
  }

  /** Whether its web dynos may be without containers. */
  mayIdle(app: string): boolean {
    return this.after(app) !== undefined && this.awakeFor(app).length === 0;
  }

  async set(app: string, seconds: number | undefined, user: string): Promise<void> {
    const { store, activity, dynos } = this.#options;
    store.find(app);
    if (seconds !== undefined && seconds < LEAST_SECONDS)
      throw new PaasError(
        'invalid',
        `An app can become idle after ${LEAST_SECONDS} seconds at the earliest.`,
      );
    store.setIdleAfter(app, seconds);
    const text = seconds === undefined ? 'Idling off' : `Idle after ${spanText(seconds)} without a request`;
    activity.note({ app, user, action: 'ps:idle', text });
    if (seconds === undefined) await dynos.wake(app);
    this.watch(app);
  }

  /** Begins to look after an app, if it is one that becomes idle: its time counts from now. */
  watch(app: string): void {
    clearTimeout(this.#timers.get(app));
    this.#timers.delete(app);
    if (!this.#options.store.has(app)) return;
    const seconds = this.after(app);
    if (seconds === undefined) return;
    this.#lastRequest.set(app, Date.now());
    this.#lookAgain(app, seconds * 1000);
  }

  noteRequest(app: string): void {
    if (this.#timers.has(app)) this.#lastRequest.set(app, Date.now());
  }

  /** A visitor waits for an app without web dynos, or something else needs them. */
  async wake(app: string, why = 'a request came'): Promise<void> {
    const { store, dynos, logs } = this.#options;
    if (!store.has(app) || !dynos.isIdle(app)) return;
    this.#lastRequest.set(app, Date.now());
    logs.append(app, { source: 'paas', dyno: 'router', text: `Waking up: ${why}` });
    await dynos.wake(app);
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #lookAgain(app: string, milliseconds: number): void {
    clearTimeout(this.#timers.get(app));
    this.#timers.set(app, setTimeout(() => void this.#look(app), milliseconds).unref());
  }

  async #look(app: string): Promise<void> {
    const seconds = this.#options.store.has(app) ? this.after(app) : undefined;
    if (seconds === undefined) return this.watch(app);
    const left = seconds * 1000 - (Date.now() - (this.#lastRequest.get(app) ?? 0));
    // The router may be away for a moment: then it is another time.
    if (left <= 0) await this.#letGo(app, seconds).catch(() => {});
    this.#lookAgain(app, left > 0 ? left : seconds * 1000);
  }

  /** Under the app's lock: a deploy or a change of its formation may be under way, and a request may have come meanwhile. */
  async #letGo(app: string, seconds: number): Promise<void> {
    const { dynos, logs, lock } = this.#options;
    await lock.run(app, async () => {
      const isQuiet = Date.now() - (this.#lastRequest.get(app) ?? 0) >= seconds * 1000;
      if (isQuiet && this.mayIdle(app) && !dynos.isIdle(app) && (await dynos.sleep(app)))
        logs.append(app, {
          source: 'paas',
          dyno: 'web',
          text: `Idling: no request for ${spanText(seconds)}`,
        });
    });
  }
}
