import { type PortMapping, transportOf } from '../model/port-mapping.ts';
import type { Database, Row } from './database.ts';

export interface PortRecord extends PortMapping {
  app: string;
}

/** Which ports of the machine lead to which app. */
export class PortStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** All apps'. */
  all(): PortRecord[] {
    return this.#db.all('SELECT * FROM ports ORDER BY port, transport').map(toPort);
  }

  of(app: string): PortRecord[] {
    return this.#db.all('SELECT * FROM ports WHERE app = ? ORDER BY port, transport', app).map(toPort);
  }

  /** Of any app. */
  find(mapping: Pick<PortMapping, 'protocol' | 'port'>): PortRecord | undefined {
    const row = this.#db.get(
      'SELECT * FROM ports WHERE transport = ? AND port = ?',
      transportOf(mapping),
      mapping.port,
    );
    return row && toPort(row);
  }

  add(record: PortRecord): void {
    const { protocol, port, app, type, target } = record;
    this.#db.run(
      'INSERT INTO ports (transport, port, protocol, app, type, target) VALUES (?, ?, ?, ?, ?, ?)',
      transportOf(record),
      port,
      protocol,
      app,
      type,
      target,
    );
  }

  remove(mapping: Pick<PortMapping, 'protocol' | 'port'>): void {
    this.#db.run('DELETE FROM ports WHERE transport = ? AND port = ?', transportOf(mapping), mapping.port);
  }
}

function toPort(row: Row): PortRecord {
  return {
    protocol: row.protocol as PortRecord['protocol'],
    port: Number(row.port),
    app: String(row.app),
    type: String(row.type),
    target: Number(row.target),
  };
}
