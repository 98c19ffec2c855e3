import type { VisitorSettings } from '../model/visitor-settings.ts';
import type { Database, Row } from './database.ts';

/** Whom the router lets through to each app. */
export class VisitorStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  find(app: string): VisitorSettings {
    const row = this.#db.get('SELECT settings FROM visitor_settings WHERE app = ?', app);
    return row ? toSettings(row) : {};
  }

  /** By app; only those that have any. */
  all(): Map<string, VisitorSettings> {
    const rows = this.#db.all('SELECT app, settings FROM visitor_settings');
    return new Map(rows.map((row) => [String(row.app), toSettings(row)]));
  }

  set(app: string, settings: VisitorSettings): void {
    const text = JSON.stringify(settings);
    if (text === '{}') this.#db.run('DELETE FROM visitor_settings WHERE app = ?', app);
    else this.#db.run('INSERT OR REPLACE INTO visitor_settings (app, settings) VALUES (?, ?)', app, text);
  }
}

function toSettings(row: Row): VisitorSettings {
  return JSON.parse(String(row.settings));
}
