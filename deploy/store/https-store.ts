import type { HttpsSettings } from '../platform/certificates.ts';
import type { Database, Row } from './database.ts';

export interface HttpsRecord extends HttpsSettings {
  /** Certificates are ordered for the app's hosts. */
  automatic: boolean;
}

const DEFAULT: HttpsRecord = { redirect: false, hsts: undefined, automatic: true };

/** What each app wants of HTTPS. */
export class HttpsStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  find(app: string): HttpsRecord {
    const row = this.#db.get('SELECT * FROM https_settings WHERE app = ?', app);
    return row ? toRecord(row) : DEFAULT;
  }

  /** By app; only those that differ from the default. */
  all(): Map<string, HttpsRecord> {
    const rows = this.#db.all('SELECT * FROM https_settings');
    return new Map(rows.map((row) => [String(row.app), toRecord(row)]));
  }

  set(app: string, change: Partial<HttpsRecord>): void {
    const { redirect, hsts, automatic } = { ...this.find(app), ...change };
    this.#db.run(
      'INSERT OR REPLACE INTO https_settings (app, redirect, hsts, automatic) VALUES (?, ?, ?, ?)',
      app,
      Number(redirect),
      hsts ?? null,
      Number(automatic),
    );
  }
}

function toRecord({ redirect, hsts, automatic }: Row): HttpsRecord {
  return {
    redirect: redirect === 1,
    hsts: hsts === null ? undefined : Number(hsts),
    automatic: automatic === 1,
  };
}
