import type { KeyView } from '../platform/access.ts';
import type { Database, Row } from './database.ts';

/** Keys, one-use login tokens and sessions; of tokens and session ids only hashes are kept. */
export class AccessStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  keys(): KeyView[] {
    return this.#db.all('SELECT * FROM keys ORDER BY user, created_at').map(toKey);
  }

  key(fingerprint: string): KeyView | undefined {
    const row = this.#db.get('SELECT * FROM keys WHERE fingerprint = ?', fingerprint);
    return row && toKey(row);
  }

  addKey(key: { fingerprint: string; user: string; blob: Buffer; comment: string }): void {
    this.#db.run(
      'INSERT INTO keys (fingerprint, user, blob, comment, created_at) VALUES (?, ?, ?, ?, ?)',
      key.fingerprint,
      key.user,
      key.blob,
      key.comment,
      Date.now(),
    );
  }

  removeKey(fingerprint: string): void {
    this.#db.run('DELETE FROM keys WHERE fingerprint = ?', fingerprint);
  }

  touchKey(fingerprint: string): void {
    this.#db.run('UPDATE keys SET last_used_at = ? WHERE fingerprint = ?', Date.now(), fingerprint);
  }

  addLoginToken(hash: string, fingerprint: string, expiresAt: number): void {
    this.#db.run('DELETE FROM login_tokens WHERE expires_at < ?', Date.now());
    this.#db.run(
      'INSERT INTO login_tokens (hash, fingerprint, expires_at) VALUES (?, ?, ?)',
      hash,
      fingerprint,
      expiresAt,
    );
  }

  loginToken(hash: string): { user: string; fingerprint: string } | undefined {
    const row = this.#db.get(
      'SELECT user, fingerprint FROM login_tokens JOIN keys USING (fingerprint) WHERE hash = ? AND expires_at > ?',
      hash,
      Date.now(),
    );
    return row && { user: String(row.user), fingerprint: String(row.fingerprint) };
  }

  /** True for the one caller who used it up. */
  removeLoginToken(hash: string): boolean {
    return this.#db.run('DELETE FROM login_tokens WHERE hash = ?', hash).changes > 0;
  }

  addSession(session: { hash: string; fingerprint: string; csrf: string; expiresAt: number }): void {
    this.#db.run('DELETE FROM sessions WHERE expires_at < ?', Date.now());
    this.#db.run(
      'INSERT INTO sessions (hash, fingerprint, csrf, expires_at) VALUES (?, ?, ?, ?)',
      session.hash,
      session.fingerprint,
      session.csrf,
      session.expiresAt,
    );
  }

  session(hash: string): { user: string; csrf: string } | undefined {
    const row = this.#db.get(
      'SELECT user, csrf FROM sessions JOIN keys USING (fingerprint) WHERE hash = ? AND expires_at > ?',
      hash,
      Date.now(),
    );
    return row && { user: String(row.user), csrf: String(row.csrf) };
  }

  removeSession(hash: string): void {
    this.#db.run('DELETE FROM sessions WHERE hash = ?', hash);
  }
}

function toKey(row: Row): KeyView {
  return {
    user: String(row.user),
    fingerprint: String(row.fingerprint),
    comment: String(row.comment),
    createdAt: new Date(Number(row.created_at)),
    lastUsedAt: row.last_used_at === null ? undefined : new Date(Number(row.last_used_at)),
  };
}
