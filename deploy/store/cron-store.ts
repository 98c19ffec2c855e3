import type { Concurrency, CronEntry } from '../model/cron-entry.ts';
import type { Database, Row } from './database.ts';

export interface CronState {
  suspended: boolean;
  last: { at: Date; dyno: string; status: number | undefined } | undefined;
}

/** Jobs that were added by command, and what became of every job's last run. */
export class CronStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** By id. */
  list(app: string): Map<string, CronEntry> {
    const rows = this.#db.all('SELECT * FROM cron_jobs WHERE app = ? ORDER BY rowid', app);
    return new Map(rows.map((row) => [String(row.id), toEntry(row)]));
  }

  add(app: string, id: string, entry: CronEntry): void {
    this.#db.run(
      'INSERT INTO cron_jobs (app, id, schedule, command, concurrency, time_limit) VALUES (?, ?, ?, ?, ?, ?)',
      app,
      id,
      entry.schedule,
      entry.command,
      entry.concurrency,
      entry.timeLimit,
    );
  }

  remove(app: string, id: string): void {
    this.#db.transaction(() => {
      this.#db.run('DELETE FROM cron_jobs WHERE app = ? AND id = ?', app, id);
      this.#db.run('DELETE FROM cron_states WHERE app = ? AND id = ?', app, id);
    });
  }

  state(app: string, id: string): CronState {
    const row = this.#db.get('SELECT * FROM cron_states WHERE app = ? AND id = ?', app, id);
    if (!row) return { suspended: false, last: undefined };
    const last = row.last_at !== null && {
      at: new Date(Number(row.last_at)),
      dyno: String(row.last_dyno),
      status: row.last_status === null ? undefined : Number(row.last_status),
    };
    return { suspended: row.suspended === 1, last: last || undefined };
  }

  setSuspended(app: string, id: string, suspended: boolean): void {
    this.#db.run(
      `INSERT INTO cron_states (app, id, suspended) VALUES (?, ?, ?)
       ON CONFLICT (app, id) DO UPDATE SET suspended = excluded.suspended`,
      app,
      id,
      Number(suspended),
    );
  }

  noteStart(app: string, id: string, dyno: string): void {
    this.#db.run(
      `INSERT INTO cron_states (app, id, suspended, last_at, last_dyno) VALUES (?, ?, 0, ?, ?)
       ON CONFLICT (app, id) DO UPDATE SET last_at = excluded.last_at, last_dyno = excluded.last_dyno, last_status = NULL`,
      app,
      id,
      Date.now(),
      dyno,
    );
  }

  noteEnd(app: string, id: string, end: { dyno: string; status: number }): void {
    this.#db.run(
      'UPDATE cron_states SET last_status = ? WHERE app = ? AND id = ? AND last_dyno = ?',
      end.status,
      app,
      id,
      end.dyno,
    );
  }
}

function toEntry(row: Row): CronEntry {
  return {
    schedule: String(row.schedule),
    command: String(row.command),
    concurrency: row.concurrency as Concurrency,
    timeLimit: Number(row.time_limit),
  };
}
