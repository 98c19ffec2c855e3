/** A line on top of the next page. */
export interface Notice {
  kind: 'done' | 'working' | 'failed';
  text: string;
}

const MOST = 5;

/** What to tell a session when it next looks: the outcome of a change whose page is gone already. Lost with the process. */
export class Notices {
  #bySession = new Map<string, Notice[]>();

  add(sessionId: string, notice: Notice): void {
    const notices = this.#bySession.get(sessionId) ?? [];
    this.#bySession.set(sessionId, [...notices, notice].slice(-MOST));
  }

  /** Returns and forgets them. */
  take(sessionId: string): Notice[] {
    const notices = this.#bySession.get(sessionId) ?? [];
    this.#bySession.delete(sessionId);
    return notices;
  }

  forget(sessionId: string): void {
    this.#bySession.delete(sessionId);
  }
}
