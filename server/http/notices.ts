/** A line on top of the next page. */
export interface Notice {
  kind: 'done' | 'working' | 'failed';
  text: string;
}

const MOST = 5;

/** A page shows all that wait for it; a piece of the page before must not take what is told on the next one, as its visitor is about to leave. */
type Audience = 'next page' | 'whatever looks';

/** What to tell a session when it next looks: the outcome of a change whose page is gone already. Lost with the process. */
export class Notices {
  readonly #bySession = new Map<string, (Notice & { for: Audience })[]>();

  add(sessionId: string, notice: Notice & { for: Audience }): void {
    const notices = this.#bySession.get(sessionId) ?? [];
    this.#bySession.set(sessionId, [...notices, notice].slice(-MOST));
  }

  /** Returns and forgets all. */
  take(sessionId: string): Notice[] {
    const notices = this.#bySession.get(sessionId) ?? [];
    this.#bySession.delete(sessionId);
    return notices;
  }

  /** Returns and forgets those that are not for the next page alone. */
  takeLate(sessionId: string): Notice[] {
    const notices = this.#bySession.get(sessionId) ?? [];
    if (!notices.some((notice) => notice.for === 'whatever looks')) return [];
    this.#bySession.delete(sessionId);
    const kept = notices.filter((notice) => notice.for === 'next page');
    if (kept.length > 0) this.#bySession.set(sessionId, kept);
    return notices.filter((notice) => notice.for === 'whatever looks');
  }

  forget(sessionId: string): void {
    this.#bySession.delete(sessionId);
  }
}
