import type { Place } from '../model/place.ts';
import type { Database, Row } from './database.ts';

/** A place that leads to an app, or for its sake somewhere else. */
export interface DomainRecord extends Place {
  app: string;
  /** The app does not see the path. */
  strip: boolean;
  /** TLS for the host goes to this port of the web dynos unread; undefined: the router speaks it. */
  passthrough: number | undefined;
  redirect: { to: string; status: number } | undefined;
}

/** Which host names, and parts of them, are whose. */
export class DomainStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** All apps'. */
  all(): DomainRecord[] {
    return this.#db.all('SELECT * FROM domains ORDER BY hostname, path').map(toDomain);
  }

  of(app: string): DomainRecord[] {
    return this.#db.all('SELECT * FROM domains WHERE app = ? ORDER BY hostname, path', app).map(toDomain);
  }

  find({ hostname, path }: Place): DomainRecord | undefined {
    const row = this.#db.get('SELECT * FROM domains WHERE hostname = ? AND path = ?', hostname, path);
    return row && toDomain(row);
  }

  add({ hostname, path, app, strip, passthrough, redirect }: DomainRecord): void {
    this.#db.run(
      'INSERT INTO domains (hostname, path, app, strip, passthrough, redirect_to, redirect_status) VALUES (?, ?, ?, ?, ?, ?, ?)',
      hostname,
      path,
      app,
      Number(strip),
      passthrough ?? null,
      redirect?.to ?? null,
      redirect?.status ?? null,
    );
  }

  remove({ hostname, path }: Place): void {
    this.#db.run('DELETE FROM domains WHERE hostname = ? AND path = ?', hostname, path);
  }
}

function toDomain(row: Row): DomainRecord {
  return {
    hostname: String(row.hostname),
    path: String(row.path),
    app: String(row.app),
    strip: row.strip === 1,
    passthrough: row.passthrough === null ? undefined : Number(row.passthrough),
    redirect:
      row.redirect_to === null
        ? undefined
        : { to: String(row.redirect_to), status: Number(row.redirect_status) },
  };
}
