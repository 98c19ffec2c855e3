import type { HealthCheck } from '../../buildpacks/health-checks.ts';
import type { Database } from './database.ts';

/** Health checks and boot timeouts that were set by command. */
export class CheckStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** By name. */
  list(app: string): HealthCheck[] {
    return this.#db
      .all('SELECT settings FROM health_checks WHERE app = ? ORDER BY name', app)
      .map((row) => ({ status: undefined, ...JSON.parse(String(row.settings)) }));
  }

  set(app: string, check: HealthCheck): void {
    const sql = 'INSERT OR REPLACE INTO health_checks (app, name, settings) VALUES (?, ?, ?)';
    this.#db.run(sql, app, check.name, JSON.stringify(check));
  }

  /** False where there is none of this name. */
  remove(app: string, name: string): boolean {
    return this.#db.run('DELETE FROM health_checks WHERE app = ? AND name = ?', app, name).changes > 0;
  }

  /** Seconds; undefined: nobody has said. */
  bootTimeout(app: string): number | undefined {
    const row = this.#db.get('SELECT boot_timeout FROM apps WHERE name = ?', app);
    return typeof row?.boot_timeout === 'number' ? row.boot_timeout : undefined;
  }

  setBootTimeout(app: string, seconds: number | undefined): void {
    this.#db.run('UPDATE apps SET boot_timeout = ? WHERE name = ?', seconds ?? null, app);
  }
}
