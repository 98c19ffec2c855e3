import type { CertificatePair } from '../model/router.ts';
import type { Database, Row } from './database.ts';

/** A certificate that somebody gave us. */
export interface OwnCertificateRecord extends CertificatePair {
  /** A later one has a higher number. */
  id: number;
  /** undefined: the platform's. */
  app: string | undefined;
}

/** Certificates that were given to apps and to the platform, with their keys. */
export class CertificateStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Oldest first. */
  all(): OwnCertificateRecord[] {
    return this.#db.all('SELECT id, app, chain, key FROM own_certificates ORDER BY id').map(toRecord);
  }

  /** In place of others. */
  replace(
    replaced: number[],
    { app, chain, key, user }: CertificatePair & { app: string | undefined; user: string },
  ): void {
    this.#db.transaction(() => {
      for (const id of replaced) this.remove(id);
      this.#db.run(
        'INSERT INTO own_certificates (app, chain, key, created_at, created_by) VALUES (?, ?, ?, ?, ?)',
        app ?? null,
        chain,
        key,
        Date.now(),
        user,
      );
    });
  }

  /** What its owner was last told of its expiry; undefined: nothing. */
  told(id: number): string | undefined {
    const told = this.#db.get('SELECT told FROM own_certificates WHERE id = ?', id)?.told;
    return told === null || told === undefined ? undefined : String(told);
  }

  /** `tell` is part of the same step. */
  setTold(id: number, told: string, tell: () => void): void {
    this.#db.transaction(() => {
      tell();
      this.#db.run('UPDATE own_certificates SET told = ? WHERE id = ?', told, id);
    });
  }

  remove(id: number): void {
    this.#db.run('DELETE FROM own_certificates WHERE id = ?', id);
  }
}

function toRecord(row: Row): OwnCertificateRecord {
  return {
    id: Number(row.id),
    app: row.app === null ? undefined : String(row.app),
    chain: String(row.chain),
    key: String(row.key),
  };
}
