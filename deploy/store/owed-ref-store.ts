import type { Database } from './database.ts';

/** A ref as it was before a push and shall be after it (commit ids; `old` of a new one: zeros), in an app's repository. */
export interface OwedRef {
  repository: string;
  ref: string;
  old: string;
  new: string;
}

/** Refs of which git has not been heard yet that they are where the release that serves is. */
export class OwedRefStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Of one app's repository, or of all. */
  list(repository?: string): OwedRef[] {
    const rows =
      repository === undefined
        ? this.#db.all('SELECT * FROM owed_refs')
        : this.#db.all('SELECT * FROM owed_refs WHERE repository = ?', repository);
    return rows.map((row) => ({
      repository: String(row.repository),
      ref: String(row.ref),
      old: String(row.old),
      new: String(row.new),
    }));
  }

  /** In the place of what was owed of the same ref. */
  add(owed: OwedRef): void {
    this.#db.run(
      'INSERT OR REPLACE INTO owed_refs (repository, ref, old, new) VALUES (?, ?, ?, ?)',
      owed.repository,
      owed.ref,
      owed.old,
      owed.new,
    );
  }

  remove(owed: OwedRef): void {
    this.#db.run(
      'DELETE FROM owed_refs WHERE repository = ? AND ref = ? AND new = ?',
      owed.repository,
      owed.ref,
      owed.new,
    );
  }
}
