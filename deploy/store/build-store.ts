import { PaasError } from '../model/paas-error.ts';
import type { BuildState, BuildView } from '../platform.ts';
import type { Database, Row } from './database.ts';

export type BuildEnd =
  | { state: 'succeeded'; release: number }
  | { state: 'failed' | 'cancelled'; reason: string };

/** Builds of all apps, with the time that each stage took. */
export class BuildStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  create(build: { app: string; user: string; commit: string }): BuildView {
    const { lastId } = this.#db.run(
      "INSERT INTO builds (app, state, user, commit_id, created_at) VALUES (?, 'queued', ?, ?, ?)",
      build.app,
      build.user,
      build.commit,
      Date.now(),
    );
    return this.find(lastId);
  }

  /** Newest first, at most 200. */
  list(app?: string): BuildView[] {
    const rows =
      app === undefined
        ? this.#db.all('SELECT * FROM builds ORDER BY id DESC LIMIT 200')
        : this.#db.all('SELECT * FROM builds WHERE app = ? ORDER BY id DESC LIMIT 200', app);
    return rows.map(toBuild);
  }

  /** Of one app, the few that come before its last `count`: newest first. */
  before(app: string, count: number): number[] {
    const sql = 'SELECT id FROM builds WHERE app = ? ORDER BY id DESC LIMIT 10 OFFSET ?';
    return this.#db.all(sql, app, count).map((row) => Number(row.id));
  }

  has(id: number): boolean {
    return this.#db.get('SELECT 1 FROM builds WHERE id = ?', id) !== undefined;
  }

  /** Throws `not_found`. */
  find(id: number): BuildView {
    const row = this.#db.get('SELECT * FROM builds WHERE id = ?', id);
    if (!row)
      throw new PaasError('not_found', `There is no build ${id}. \`paas builds\` lists those there are.`);
    return toBuild(row);
  }

  start(id: number): void {
    this.#db.run("UPDATE builds SET state = 'building' WHERE id = ?", id);
  }

  /** The first end counts; `tell` is part of the same step. */
  finish(
    id: number,
    { end, stages, tell }: { end: BuildEnd; stages: BuildView['stages']; tell: () => void },
  ): void {
    this.#db.transaction(() => {
      const { changes } = this.#db.run(
        `UPDATE builds SET state = ?, reason = ?, release = ?, stages = ?, finished_at = ?
         WHERE id = ? AND state IN ('queued', 'building')`,
        end.state,
        end.state === 'succeeded' ? null : end.reason,
        end.state === 'succeeded' ? end.release : null,
        JSON.stringify(stages),
        Date.now(),
        id,
      );
      if (changes > 0) tell();
    });
  }

  /** Builds that a killed control left without an end. */
  unfinished(): BuildView[] {
    return this.#db.all("SELECT * FROM builds WHERE state IN ('queued', 'building')").map(toBuild);
  }
}

function toBuild(row: Row): BuildView {
  return {
    id: Number(row.id),
    app: String(row.app),
    state: row.state as BuildState,
    user: String(row.user),
    commit: String(row.commit_id),
    createdAt: new Date(Number(row.created_at)),
    finishedAt: row.finished_at === null ? undefined : new Date(Number(row.finished_at)),
    reason: row.reason === null ? undefined : String(row.reason),
    release: row.release === null ? undefined : Number(row.release),
    ahead: undefined,
    stages: JSON.parse(String(row.stages)),
  };
}
