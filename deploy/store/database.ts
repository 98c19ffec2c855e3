import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

/** A row as SQLite gives it: column → value. */
export type Row = Record<string, string | number | bigint | null | Uint8Array>;

/**
 * The state of record: one SQLite file (WAL, synchronous=FULL: what was acknowledged survives a power cut).
 * Only files of this folder speak SQL.
 */
export class Database {
  #db: DatabaseSync;
  #statements = new Map<string, ReturnType<DatabaseSync['prepare']>>();

  constructor(file: string) {
    this.#db = new DatabaseSync(file);
    this.#db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;',
    );
    migrate(this.#db);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values) as Row[];
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values) as Row | undefined;
  }

  run(sql: string, ...values: SQLInputValue[]): { changes: number; lastId: number } {
    const result = this.#prepare(sql).run(...values);
    return { changes: Number(result.changes), lastId: Number(result.lastInsertRowid) };
  }

  /** All of it or nothing; inside of another one it is a part of that. */
  transaction<T>(work: () => T): T {
    if (this.#db.isTransaction) return work();
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#db.close();
  }

  #prepare(sql: string) {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** Each entry brings the schema one version further; entries are never changed, only added. */
const MIGRATIONS = [
  `CREATE TABLE apps (
     name TEXT PRIMARY KEY, created_at INTEGER NOT NULL, created_by TEXT NOT NULL, current_release INTEGER
   ) STRICT;
   CREATE TABLE config_vars (
     app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (app, name)
   ) STRICT;
   CREATE TABLE formation (
     app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, type TEXT NOT NULL, quantity INTEGER NOT NULL, PRIMARY KEY (app, type)
   ) STRICT;
   CREATE TABLE releases (
     app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, version INTEGER NOT NULL, description TEXT NOT NULL,
     user TEXT NOT NULL, created_at INTEGER NOT NULL, commit_id TEXT, build_id INTEGER, image TEXT NOT NULL,
     processes TEXT NOT NULL, config TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (app, version)
   ) STRICT;
   CREATE TABLE builds (
     id INTEGER PRIMARY KEY AUTOINCREMENT, app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, state TEXT NOT NULL,
     user TEXT NOT NULL, commit_id TEXT NOT NULL, created_at INTEGER NOT NULL, finished_at INTEGER, reason TEXT,
     release INTEGER, stages TEXT NOT NULL DEFAULT '[]'
   ) STRICT;
   CREATE INDEX builds_by_app ON builds (app, id);
   CREATE TABLE domains (
     hostname TEXT PRIMARY KEY, app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE
   ) STRICT;
   CREATE TABLE keys (
     fingerprint TEXT PRIMARY KEY, user TEXT NOT NULL, blob BLOB NOT NULL, comment TEXT NOT NULL,
     created_at INTEGER NOT NULL, last_used_at INTEGER
   ) STRICT;
   CREATE TABLE login_tokens (
     hash TEXT PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES keys ON DELETE CASCADE, expires_at INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE sessions (
     hash TEXT PRIMARY KEY, fingerprint TEXT NOT NULL REFERENCES keys ON DELETE CASCADE, csrf TEXT NOT NULL,
     expires_at INTEGER NOT NULL
   ) STRICT;`,
  `CREATE TABLE events (
     id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, user TEXT NOT NULL, app TEXT, action TEXT NOT NULL,
     text TEXT NOT NULL
   ) STRICT;
   CREATE INDEX events_by_app ON events (app, id);
   CREATE TABLE limits (
     app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, type TEXT NOT NULL, memory INTEGER, cpu REAL,
     PRIMARY KEY (app, type)
   ) STRICT;
   ALTER TABLE apps ADD COLUMN maintenance INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE apps ADD COLUMN maintenance_page TEXT;`,
  `CREATE TABLE cron_jobs (
     app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, id TEXT NOT NULL, schedule TEXT NOT NULL,
     command TEXT NOT NULL, concurrency TEXT NOT NULL, time_limit INTEGER NOT NULL, PRIMARY KEY (app, id)
   ) STRICT;
   CREATE TABLE cron_states (
     app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, id TEXT NOT NULL, suspended INTEGER NOT NULL,
     last_at INTEGER, last_dyno TEXT, last_status INTEGER, PRIMARY KEY (app, id)
   ) STRICT;
   ALTER TABLE releases ADD COLUMN cron TEXT NOT NULL DEFAULT '[]';`,
  'ALTER TABLE apps ADD COLUMN idle_after INTEGER;',
  "ALTER TABLE releases ADD COLUMN checks TEXT NOT NULL DEFAULT '[]';",
  `CREATE TABLE preview_settings (
     app TEXT PRIMARY KEY REFERENCES apps ON DELETE CASCADE, at_once INTEGER NOT NULL, ttl INTEGER NOT NULL, keys TEXT
   ) STRICT;
   CREATE TABLE previews (
     app TEXT PRIMARY KEY REFERENCES apps ON DELETE CASCADE, parent TEXT NOT NULL REFERENCES apps,
     branch TEXT NOT NULL, expires_at INTEGER NOT NULL, UNIQUE (parent, branch)
   ) STRICT;`,
  "ALTER TABLE releases ADD COLUMN output TEXT NOT NULL DEFAULT '';",
  `CREATE TABLE pipeline_apps (
     app TEXT PRIMARY KEY REFERENCES apps ON DELETE CASCADE, pipeline TEXT NOT NULL, stage TEXT NOT NULL
   ) STRICT;`,
  'ALTER TABLE apps ADD COLUMN canary_share INTEGER;',
  `CREATE TABLE places (
     hostname TEXT NOT NULL, path TEXT NOT NULL DEFAULT '', app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE,
     strip INTEGER NOT NULL DEFAULT 0, redirect_to TEXT, redirect_status INTEGER, PRIMARY KEY (hostname, path)
   ) STRICT;
   INSERT INTO places (hostname, app) SELECT hostname, app FROM domains;
   DROP TABLE domains;
   ALTER TABLE places RENAME TO domains;
   CREATE INDEX domains_by_app ON domains (app);
   CREATE TABLE visitor_settings (
     app TEXT PRIMARY KEY REFERENCES apps ON DELETE CASCADE, settings TEXT NOT NULL
   ) STRICT;`,
  `CREATE TABLE ports (
     transport TEXT NOT NULL, port INTEGER NOT NULL, protocol TEXT NOT NULL,
     app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, type TEXT NOT NULL, target INTEGER NOT NULL,
     PRIMARY KEY (transport, port)
   ) STRICT;
   CREATE INDEX ports_by_app ON ports (app);`,
  `CREATE TABLE own_certificates (
     id INTEGER PRIMARY KEY AUTOINCREMENT, app TEXT REFERENCES apps ON DELETE CASCADE, chain TEXT NOT NULL, key TEXT NOT NULL,
     created_at INTEGER NOT NULL, created_by TEXT NOT NULL
   ) STRICT;
   CREATE TABLE https_settings (
     app TEXT PRIMARY KEY REFERENCES apps ON DELETE CASCADE, redirect INTEGER NOT NULL, hsts INTEGER, automatic INTEGER NOT NULL
   ) STRICT;`,
  `CREATE TABLE traffic (
     app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, minute INTEGER NOT NULL, requests INTEGER NOT NULL,
     client_errors INTEGER NOT NULL, server_errors INTEGER NOT NULL, bytes INTEGER NOT NULL, time REAL NOT NULL,
     latencies BLOB NOT NULL, PRIMARY KEY (app, minute)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX traffic_by_minute ON traffic (minute);`,
  'ALTER TABLE domains ADD COLUMN passthrough INTEGER;',
  `ALTER TABLE releases ADD COLUMN hooks TEXT NOT NULL DEFAULT '{}';
   ALTER TABLE releases ADD COLUMN max_parallel TEXT NOT NULL DEFAULT '{}';`,
  `CREATE TABLE webhooks (
     id INTEGER PRIMARY KEY AUTOINCREMENT, app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, url TEXT NOT NULL,
     secret TEXT NOT NULL, created_by TEXT NOT NULL, created_at INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX webhooks_by_app ON webhooks (app);
   CREATE TABLE webhook_deliveries (
     id INTEGER PRIMARY KEY AUTOINCREMENT, webhook INTEGER NOT NULL REFERENCES webhooks ON DELETE CASCADE,
     action TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
     created_at INTEGER NOT NULL, next_at INTEGER, status INTEGER, reason TEXT
   ) STRICT;
   CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook, state, id);`,
  `CREATE TABLE health_checks (
     app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, name TEXT NOT NULL, settings TEXT NOT NULL, PRIMARY KEY (app, name)
   ) STRICT;
   ALTER TABLE apps ADD COLUMN boot_timeout INTEGER;`,
  `CREATE TABLE acme_accounts (directory TEXT PRIMARY KEY, key TEXT NOT NULL, url TEXT) STRICT;
   CREATE TABLE acme_hosts (
     hostname TEXT PRIMARY KEY, chain TEXT, key TEXT, failures INTEGER NOT NULL, next_at INTEGER NOT NULL, problem TEXT,
     challenge TEXT NOT NULL, ordered_at TEXT NOT NULL, order_url TEXT, order_key TEXT
   ) STRICT;`,
  `CREATE TABLE owed_refs (
     repository TEXT NOT NULL REFERENCES apps ON DELETE CASCADE, ref TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL,
     PRIMARY KEY (repository, ref)
   ) STRICT;`,
  'ALTER TABLE releases ADD COLUMN reason TEXT;',
  'ALTER TABLE own_certificates ADD COLUMN told TEXT;',
  'ALTER TABLE acme_hosts ADD COLUMN told_expiry INTEGER;',
];

function migrate(db: DatabaseSync): void {
  const version = Number((db.prepare('PRAGMA user_version').get() as Row).user_version);
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index < version) continue;
    db.exec(`BEGIN; ${sql}; PRAGMA user_version = ${index + 1}; COMMIT;`);
  }
}
