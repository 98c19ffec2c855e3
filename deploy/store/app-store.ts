import type { DynoLimits } from '../model/dyno-limits.ts';
import { PaasError } from '../model/paas-error.ts';
import type { Database, Row } from './database.ts';

export interface AppRecord {
  name: string;
  createdAt: Date;
  createdBy: string;
  currentRelease: number | undefined;
  maintenance: boolean;
  /** HTML for the visitors in maintenance mode. */
  maintenancePage: string | undefined;
  /** Seconds without a request after which its web dynos go. */
  idleAfter: number | undefined;
  /** Percent of the visitors who get a new release first. */
  canaryShare: number | undefined;
}

/** Apps with their config vars, formation and domains. */
export class AppStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  list(): AppRecord[] {
    return this.#db.all('SELECT * FROM apps ORDER BY name').map(toApp);
  }

  has(name: string): boolean {
    return this.#db.get('SELECT 1 FROM apps WHERE name = ?', name) !== undefined;
  }

  /** Throws `not_found`. */
  find(name: string): AppRecord {
    const row = this.#db.get('SELECT * FROM apps WHERE name = ?', name);
    if (!row)
      throw new PaasError(
        'not_found',
        `There is no app ${JSON.stringify(name)}. \`paas apps\` lists those there are.`,
      );
    return toApp(row);
  }

  create(name: string, user: string): void {
    if (this.has(name)) throw new PaasError('conflict', `The name "${name}" is taken by another app.`);
    this.#db.run('INSERT INTO apps (name, created_at, created_by) VALUES (?, ?, ?)', name, Date.now(), user);
  }

  remove(name: string): void {
    this.#db.run('DELETE FROM apps WHERE name = ?', name);
  }

  setCurrentRelease(name: string, version: number): void {
    this.#db.run('UPDATE apps SET current_release = ? WHERE name = ?', version, name);
  }

  config(app: string): Record<string, string> {
    const rows = this.#db.all('SELECT name, value FROM config_vars WHERE app = ? ORDER BY name', app);
    return Object.fromEntries(rows.map((row) => [String(row.name), String(row.value)]));
  }

  replaceConfig(app: string, vars: Record<string, string>): void {
    this.#db.transaction(() => {
      this.#db.run('DELETE FROM config_vars WHERE app = ?', app);
      for (const [name, value] of Object.entries(vars)) {
        this.#db.run('INSERT INTO config_vars (app, name, value) VALUES (?, ?, ?)', app, name, value);
      }
    });
  }

  formation(app: string): Record<string, number> {
    const rows = this.#db.all('SELECT type, quantity FROM formation WHERE app = ?', app);
    return Object.fromEntries(rows.map((row) => [String(row.type), Number(row.quantity)]));
  }

  setFormation(app: string, quantities: Record<string, number>): void {
    this.#db.transaction(() => {
      for (const [type, quantity] of Object.entries(quantities)) {
        this.#db.run(
          'INSERT OR REPLACE INTO formation (app, type, quantity) VALUES (?, ?, ?)',
          app,
          type,
          quantity,
        );
      }
    });
  }

  /** By process type; only what was set. */
  limits(app: string): Record<string, DynoLimits> {
    const rows = this.#db.all('SELECT type, memory, cpu FROM limits WHERE app = ?', app);
    return Object.fromEntries(
      rows.map(({ type, memory, cpu }) => [
        String(type),
        { ...(memory !== null && { memory: Number(memory) }), ...(cpu !== null && { cpu: Number(cpu) }) },
      ]),
    );
  }

  setLimits(app: string, type: string, { memory, cpu }: DynoLimits): void {
    this.#db.run(
      'INSERT OR REPLACE INTO limits (app, type, memory, cpu) VALUES (?, ?, ?, ?)',
      app,
      type,
      memory ?? null,
      cpu ?? null,
    );
  }

  setCanaryShare(app: string, share: number | undefined): void {
    this.#db.run('UPDATE apps SET canary_share = ? WHERE name = ?', share ?? null, app);
  }

  setIdleAfter(app: string, seconds: number | undefined): void {
    this.#db.run('UPDATE apps SET idle_after = ? WHERE name = ?', seconds ?? null, app);
  }

  setMaintenance(app: string, { on, page }: { on: boolean; page: string | undefined }): void {
    this.#db.run(
      'UPDATE apps SET maintenance = ?, maintenance_page = ? WHERE name = ?',
      Number(on),
      page ?? null,
      app,
    );
  }

  /** All host names of an app, wildcards (`*.example.com`) and those that only lead elsewhere among them. */
  domains(app: string): string[] {
    return this.#db
      .all('SELECT DISTINCT hostname FROM domains WHERE app = ? ORDER BY hostname', app)
      .map((row) => String(row.hostname));
  }
}

function toApp(row: Row): AppRecord {
  return {
    name: String(row.name),
    createdAt: new Date(Number(row.created_at)),
    createdBy: String(row.created_by),
    currentRelease: row.current_release === null ? undefined : Number(row.current_release),
    maintenance: row.maintenance === 1,
    maintenancePage: row.maintenance_page === null ? undefined : String(row.maintenance_page),
    idleAfter: row.idle_after === null ? undefined : Number(row.idle_after),
    canaryShare: row.canary_share === null ? undefined : Number(row.canary_share),
  };
}
