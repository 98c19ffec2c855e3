import type { PreviewSettings } from '../model/preview-settings.ts';
import type { Database, Row } from './database.ts';

export interface PreviewRecord {
  /** The preview's own name as an app. */
  app: string;
  parent: string;
  branch: string;
  expiresAt: Date;
}

/** Which apps make previews of their branches, and which apps are previews. */
export class PreviewStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  settings(app: string): PreviewSettings | undefined {
    const row = this.#db.get('SELECT * FROM preview_settings WHERE app = ?', app);
    if (!row) return undefined;
    const keys = row.keys === null ? undefined : JSON.parse(String(row.keys));
    return { limit: Number(row.at_once), ttl: Number(row.ttl), keys };
  }

  setSettings(app: string, settings: PreviewSettings | undefined): void {
    if (!settings) {
      this.#db.run('DELETE FROM preview_settings WHERE app = ?', app);
      return;
    }
    this.#db.run(
      'INSERT OR REPLACE INTO preview_settings (app, at_once, ttl, keys) VALUES (?, ?, ?, ?)',
      app,
      settings.limit,
      settings.ttl,
      settings.keys ? JSON.stringify(settings.keys) : null,
    );
  }

  /** Of one app, or of all; those that expire first come first. */
  list(parent?: string): PreviewRecord[] {
    const rows =
      parent === undefined
        ? this.#db.all('SELECT * FROM previews ORDER BY expires_at')
        : this.#db.all('SELECT * FROM previews WHERE parent = ? ORDER BY expires_at', parent);
    return rows.map(toPreview);
  }

  has(app: string): boolean {
    return this.#db.get('SELECT 1 FROM previews WHERE app = ?', app) !== undefined;
  }

  /** All that `work` writes, or nothing of it. */
  inOneStep<T>(work: () => T): T {
    return this.#db.transaction(work);
  }

  add(preview: PreviewRecord): void {
    this.#db.run(
      'INSERT INTO previews (app, parent, branch, expires_at) VALUES (?, ?, ?, ?)',
      preview.app,
      preview.parent,
      preview.branch,
      preview.expiresAt.getTime(),
    );
  }

  setExpiry(app: string, expiresAt: Date): void {
    this.#db.run('UPDATE previews SET expires_at = ? WHERE app = ?', expiresAt.getTime(), app);
  }
}

function toPreview(row: Row): PreviewRecord {
  return {
    app: String(row.app),
    parent: String(row.parent),
    branch: String(row.branch),
    expiresAt: new Date(Number(row.expires_at)),
  };
}
