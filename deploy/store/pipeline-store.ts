import type { Database, Row } from './database.ts';

export interface PipelineApp {
  pipeline: string;
  app: string;
  stage: string;
}

/** Which apps are stages of one pipeline. */
export class PipelineStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  names(): string[] {
    return this.#db
      .all('SELECT DISTINCT pipeline FROM pipeline_apps ORDER BY pipeline')
      .map((row) => String(row.pipeline));
  }

  apps(pipeline: string): PipelineApp[] {
    return this.#db
      .all('SELECT * FROM pipeline_apps WHERE pipeline = ? ORDER BY app', pipeline)
      .map(toPipelineApp);
  }

  find(app: string): PipelineApp | undefined {
    const row = this.#db.get('SELECT * FROM pipeline_apps WHERE app = ?', app);
    return row && toPipelineApp(row);
  }

  add({ pipeline, app, stage }: PipelineApp): void {
    this.#db.run('INSERT INTO pipeline_apps (app, pipeline, stage) VALUES (?, ?, ?)', app, pipeline, stage);
  }

  remove(app: string): void {
    this.#db.run('DELETE FROM pipeline_apps WHERE app = ?', app);
  }
}

function toPipelineApp(row: Row): PipelineApp {
  return { app: String(row.app), pipeline: String(row.pipeline), stage: String(row.stage) };
}
