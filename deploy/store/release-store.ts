import { PaasError } from '../model/paas-error.ts';
import type { NewRelease, Release } from '../model/release.ts';
import type { Database, Row } from './database.ts';

/** Releases of all apps; numbers count up per app and are never used again. */
export class ReleaseStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Newest first. */
  list(app: string): Release[] {
    return this.#db.all('SELECT * FROM releases WHERE app = ? ORDER BY version DESC', app).map(toRelease);
  }

  /** Throws `not_found`. */
  find(app: string, version: number): Release {
    const row = this.#db.get('SELECT * FROM releases WHERE app = ? AND version = ?', app, version);
    if (!row)
      throw new PaasError(
        'not_found',
        `${app} has no release v${version}. \`paas releases -a ${app}\` lists those there are.`,
      );
    return toRelease(row);
  }

  create(release: NewRelease): Release {
    return this.#db.transaction(() => {
      const last = this.#db.get('SELECT max(version) AS version FROM releases WHERE app = ?', release.app);
      const version = Number(last?.version ?? 0) + 1;
      this.#db.run(
        `INSERT INTO releases (app, version, description, user, created_at, commit_id, build_id, image, processes, config, cron, checks, hooks, max_parallel, state)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending')`,
        release.app,
        version,
        release.description,
        release.user,
        Date.now(),
        release.commit ?? null,
        release.buildId ?? null,
        release.image,
        JSON.stringify(release.processes),
        JSON.stringify(release.config),
        JSON.stringify(release.cron),
        JSON.stringify(release.checks),
        JSON.stringify(release.hooks),
        JSON.stringify(release.maxParallel),
      );
      return this.find(release.app, version);
    });
  }

  /** The release serves from now on: its end state, the app's pointer, and what `commit` writes, in one step. */
  activate(release: Release, commit: () => void = () => {}): void {
    this.#db.transaction(() => {
      commit();
      this.endCanaries(release.app);
      this.#setState(release, 'succeeded');
      this.#db.run('UPDATE apps SET current_release = ? WHERE name = ?', release.version, release.app);
    });
  }

  /** What its release command said. */
  output(app: string, version: number): string {
    const row = this.#db.get('SELECT output FROM releases WHERE app = ? AND version = ?', app, version);
    return String(row?.output ?? '');
  }

  /** After what is there. */
  addOutput(release: Release, output: string): void {
    this.#db.run(
      'UPDATE releases SET output = output || ? WHERE app = ? AND version = ?',
      output,
      release.app,
      release.version,
    );
  }

  /** Of a pending release, whose predeploy command made it another one. */
  setImage(release: Release, image: string): Release {
    const sql = "UPDATE releases SET image = ? WHERE app = ? AND version = ? AND state = 'pending'";
    this.#db.run(sql, image, release.app, release.version);
    return this.find(release.app, release.version);
  }

  /** True where none of the app's releases before this one ever served. */
  isFirst(release: Release): boolean {
    const sql = "SELECT 1 FROM releases WHERE app = ? AND version < ? AND state = 'succeeded' LIMIT 1";
    return this.#db.get(sql, release.app, release.version) === undefined;
  }

  /** The release that some visitors get. */
  canary(app: string): Release | undefined {
    const row = this.#db.get("SELECT * FROM releases WHERE app = ? AND state = 'canary'", app);
    return row && toRelease(row);
  }

  /** It takes the place of an earlier one, and what `commit` writes is in the same step. */
  markCanary(release: Release, commit: () => void = () => {}): void {
    this.#db.transaction(() => {
      commit();
      this.endCanaries(release.app);
      this.#setState(release, 'canary');
    });
  }

  /** A canary that is no more, and was not promoted. `tell` is part of the same step. */
  endCanaries(app: string, tell: () => void = () => {}): void {
    this.#db.transaction(() => {
      this.#db.run("UPDATE releases SET state = 'given up' WHERE app = ? AND state = 'canary'", app);
      tell();
    });
  }

  /**
   * Of a pending release that did not come up; `tell` is part of the same step. One that serves by now, whatever went wrong then, goes on; so does a
   * canary.
   */
  fail(release: Release, reason: string, tell: () => void = () => {}): void {
    this.#db.transaction(() => {
      const sql =
        "UPDATE releases SET state = 'failed', reason = ? WHERE app = ? AND version = ? AND state = 'pending'";
      if (this.#db.run(sql, reason, release.app, release.version).changes > 0) tell();
    });
  }

  /** The release of the app that a build made and that serves, or did; undefined: none. Others may have been promoted from it. */
  ofBuild(app: string, build: number): Release | undefined {
    const sql =
      "SELECT * FROM releases WHERE app = ? AND build_id = ? AND state IN ('succeeded', 'canary') ORDER BY version LIMIT 1";
    const row = this.#db.get(sql, app, build);
    return row && toRelease(row);
  }

  /** Of all apps, those that neither serve yet nor have failed. */
  pending(): Release[] {
    return this.#db.all("SELECT * FROM releases WHERE state = 'pending'").map(toRelease);
  }

  /** The images of the last `count` releases that served of each app, of its current one, and of those that are being made. */
  images(count: number): Set<string> {
    const rows = this.#db.all(
      `SELECT DISTINCT releases.image FROM releases JOIN apps ON apps.name = releases.app
       WHERE releases.version = apps.current_release OR releases.state IN ('pending', 'canary') OR releases.version IN (
         SELECT version FROM releases AS newer WHERE newer.app = releases.app AND newer.state = 'succeeded'
         ORDER BY version DESC LIMIT ?)`,
      count,
    );
    return new Set(rows.map((row) => String(row.image)));
  }

  #setState(release: Release, state: Release['state']): void {
    this.#db.run(
      'UPDATE releases SET state = ? WHERE app = ? AND version = ?',
      state,
      release.app,
      release.version,
    );
  }
}

function toRelease(row: Row): Release {
  return {
    app: String(row.app),
    version: Number(row.version),
    description: String(row.description),
    user: String(row.user),
    createdAt: new Date(Number(row.created_at)),
    commit: row.commit_id === null ? undefined : String(row.commit_id),
    buildId: row.build_id === null ? undefined : Number(row.build_id),
    image: String(row.image),
    processes: JSON.parse(String(row.processes)),
    config: JSON.parse(String(row.config)),
    cron: JSON.parse(String(row.cron)),
    checks: JSON.parse(String(row.checks)),
    hooks: JSON.parse(String(row.hooks)),
    maxParallel: JSON.parse(String(row.max_parallel)),
    state: row.state as Release['state'],
    reason: row.reason === null ? undefined : String(row.reason),
  };
}
