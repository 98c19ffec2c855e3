import type { PlatformEvent } from '../platform.ts';
import type { Database, Row } from './database.ts';

/** Older events give way to new ones. */
const KEPT = 50_000;

/** Who did what, of all apps; an app's events stay when it is gone. */
export class EventStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  add(event: { user: string; app: string | undefined; action: string; text: string }): PlatformEvent {
    const at = new Date();
    const { lastId } = this.#db.run(
      'INSERT INTO events (at, user, app, action, text) VALUES (?, ?, ?, ?, ?)',
      at.getTime(),
      event.user,
      event.app ?? null,
      event.action,
      event.text,
    );
    if (lastId % 100 === 0) this.#db.run('DELETE FROM events WHERE id <= ?', lastId - KEPT);
    return { id: lastId, at, ...event };
  }

  /** The last `lines` of one app or of all, oldest first. */
  list(app: string | undefined, lines: number): PlatformEvent[] {
    const rows =
      app === undefined
        ? this.#db.all('SELECT * FROM events ORDER BY id DESC LIMIT ?', lines)
        : this.#db.all('SELECT * FROM events WHERE app = ? ORDER BY id DESC LIMIT ?', app, lines);
    return rows.reverse().map(toEvent);
  }
}

function toEvent(row: Row): PlatformEvent {
  return {
    id: Number(row.id),
    at: new Date(Number(row.at)),
    user: String(row.user),
    app: row.app === null ? undefined : String(row.app),
    action: String(row.action),
    text: String(row.text),
  };
}
