import { EventEmitter, on } from 'node:events';
import type { AppLogs } from './logs/app-log.ts';
import type { EventQuery, Events, PlatformEvent } from './platform.ts';
import type { EventStore } from './store/event-store.ts';

export interface Action {
  user: string;
  /** undefined: the platform's. */
  app: string | undefined;
  /** As the command that does it: `ps:scale`. */
  action: string;
  /** A sentence without its subject: `Scaled to web@3`. */
  text: string;
}

/** Who did what. Every action stands in its app's log as `app[api]`, and in the audit trail, where it outlives the app. */
export class Activity implements Events {
  #store: EventStore;
  #logs: AppLogs;
  #added = new EventEmitter<{ event: [PlatformEvent] }>().setMaxListeners(0);

  constructor(store: EventStore, logs: AppLogs) {
    this.#store = store;
    this.#logs = logs;
  }

  note(action: Action & { app: string }): void {
    const text = `${action.text} by user ${action.user}`;
    this.#logs.append(action.app, { source: 'app', dyno: 'api', text });
    this.record(action);
  }

  /** Of the platform itself; with an app it stands in its log as `paas[DYNO]`. */
  happened({ dyno, ...action }: Omit<Action, 'user'> & { dyno: string }): void {
    if (action.app !== undefined) this.#logs.append(action.app, { source: 'paas', dyno, text: action.text });
    this.record({ ...action, user: dyno });
  }

  /** Only into the audit trail: of an app whose log is gone. */
  record(action: Action): void {
    this.#added.emit('event', this.#store.add(action));
  }

  /** Hears of each event as it is recorded. */
  onEvent(listener: (event: PlatformEvent) => void): void {
    this.#added.on('event', listener);
  }

  async *read({ app, lines = 100, follow = false, signal }: EventQuery): AsyncGenerator<PlatformEvent> {
    // Listening begins before reading, so that nothing falls between.
    const added = follow ? on(this.#added, 'event', signal ? { signal } : {}) : undefined;
    yield* this.#store.list(app, lines);
    if (!added) return;
    try {
      for await (const [event] of added) if (app === undefined || event.app === app) yield event;
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }
}
