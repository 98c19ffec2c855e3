/** A line on top of the next page. */
export interface Notice {
  kind: 'done' | 'working' | 'failed';
  text: string;
}

const MOST = 5;

/** A page shows all that wait for it; a piece of the page before must not take what is told on the next one, as its visitor is about to leave. */
type AddressedNotice = Notice & { for: 'next page' | 'whatever looks' };

/** What to tell a session when it next looks: the outcome of a change whose page is gone already. Lost with the process. */
export class Notices {
  readonly #bySession = new Map<string, AddressedNotice[]>();

  add(sessionId: string, notice: AddressedNotice): void {
    const notices = this.#bySession.get(sessionId) ?? [];
    this.#bySession.set(sessionId, [...notices, notice].slice(-MOST));
  }

  /** Returns and forgets all. */
  take(sessionId: string): AddressedNotice[] {
    const notices = this.#bySession.get(sessionId) ?? [];
    this.#bySession.delete(sessionId);
    return notices;
  }

  /** Returns and forgets those that are not for the next page alone. */
  takeLate(sessionId: string): Notice[] {
    const notices = this.take(sessionId);
    for (const notice of notices) if (notice.for === 'next page') this.add(sessionId, notice);
    return notices.filter((notice) => notice.for === 'whatever looks');
  }

  forget(sessionId: string): void {
    this.#bySession.delete(sessionId);
  }
}
