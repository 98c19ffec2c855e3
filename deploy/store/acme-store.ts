import type { CertificatePair } from '../model/router.ts';
import type { ChallengeType, OrderState } from '../tls/acme/obtain.ts';
import type { Database, Row } from './database.ts';

/** What is known of one host whose certificate comes by itself. It outlives the app that has the host: another one may need it next. */
export interface AcmeHostRecord {
  hostname: string;
  certificate: CertificatePair | undefined;
  /** In a row. */
  failures: number;
  nextAt: Date;
  /** Of the last failure, in words. */
  problem: string | undefined;
  /** With which it is tried next. */
  challenge: ChallengeType;
  /** Orders of the last week. */
  orderedAt: Date[];
  /** One that has not ended. */
  order: OrderState | undefined;
}

/** The account at a certificate authority, and the hosts whose certificates come from it. */
export class AcmeStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** `key`: PEM. */
  account(directory: string): { key: string; url: string | undefined } | undefined {
    const row = this.#db.get('SELECT key, url FROM acme_accounts WHERE directory = ?', directory);
    return row && { key: String(row.key), url: row.url === null ? undefined : String(row.url) };
  }

  setAccount(directory: string, { key, url }: { key: string; url: string | undefined }): void {
    this.#db.run(
      'INSERT OR REPLACE INTO acme_accounts (directory, key, url) VALUES (?, ?, ?)',
      directory,
      key,
      url ?? null,
    );
  }

  hosts(): AcmeHostRecord[] {
    return this.#db.all('SELECT * FROM acme_hosts ORDER BY hostname').map(toHost);
  }

  save(host: AcmeHostRecord): void {
    this.#db.run(
      `INSERT INTO acme_hosts
         (hostname, chain, key, failures, next_at, problem, challenge, ordered_at, order_url, order_key)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (hostname) DO UPDATE SET
         chain = excluded.chain, key = excluded.key, failures = excluded.failures, next_at = excluded.next_at,
         problem = excluded.problem, challenge = excluded.challenge, ordered_at = excluded.ordered_at,
         order_url = excluded.order_url, order_key = excluded.order_key`,
      host.hostname,
      host.certificate?.chain ?? null,
      host.certificate?.key ?? null,
      host.failures,
      host.nextAt.getTime(),
      host.problem ?? null,
      host.challenge,
      JSON.stringify(host.orderedAt.map((at) => at.getTime())),
      host.order?.url ?? null,
      host.order?.key ?? null,
    );
  }

  /** `tell`, unless the end of this certificate was told, is part of the step that records it. */
  tellExpiry(hostname: string, notAfter: Date, tell: () => void): void {
    this.#db.transaction(() => {
      const sql =
        'UPDATE acme_hosts SET told_expiry = ?1 WHERE hostname = ?2 AND told_expiry IS NOT ?1 RETURNING 1';
      if (this.#db.get(sql, notAfter.getTime(), hostname)) tell();
    });
  }

  remove(hostname: string): void {
    this.#db.run('DELETE FROM acme_hosts WHERE hostname = ?', hostname);
  }
}

function toHost(row: Row): AcmeHostRecord {
  const text = (name: string) => (row[name] === null ? undefined : String(row[name]));
  const [chain, key, url, orderKey] = [text('chain'), text('key'), text('order_url'), text('order_key')];
  return {
    hostname: String(row.hostname),
    certificate: chain !== undefined && key !== undefined ? { chain, key } : undefined,
    failures: Number(row.failures),
    nextAt: new Date(Number(row.next_at)),
    problem: text('problem'),
    challenge: row.challenge === 'tls-alpn-01' ? 'tls-alpn-01' : 'http-01',
    orderedAt: JSON.parse(String(row.ordered_at)).map((at: number) => new Date(at)),
    order: url !== undefined && orderKey !== undefined ? { url, key: orderKey } : undefined,
  };
}
