import { addLatencies, type Latencies } from '../model/latency.ts';
import type { Database, Row } from './database.ts';

/** What an app answered in some time. */
export interface TrafficSum {
  requests: number;
  /** Status 400 to 499. */
  clientErrors: number;
  /** Status 500 and above. */
  serverErrors: number;
  /** Of bodies, to the clients. */
  bytes: number;
  /** Milliseconds of all requests together, but for tunnels. */
  time: number;
  latencies: Latencies;
}

export const NO_TRAFFIC: TrafficSum = {
  requests: 0,
  clientErrors: 0,
  serverErrors: 0,
  bytes: 0,
  time: 0,
  latencies: [],
};

export function addTraffic(a: TrafficSum, b: TrafficSum): TrafficSum {
  return {
    requests: a.requests + b.requests,
    clientErrors: a.clientErrors + b.clientErrors,
    serverErrors: a.serverErrors + b.serverErrors,
    bytes: a.bytes + b.bytes,
    time: a.time + b.time,
    latencies: addLatencies(a.latencies, b.latencies),
  };
}

/** The traffic of each app by minutes since the epoch; minutes without a request take no room, others 160 bytes. */
export class TrafficStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Adds to what there is of this minute. Apps that are gone are left out. */
  add(minute: number, traffic: ReadonlyMap<string, TrafficSum>): void {
    this.#db.transaction(() => {
      for (const [app, sum] of traffic) {
        if (!this.#db.get('SELECT 1 FROM apps WHERE name = ?', app)) continue;
        const [before = NO_TRAFFIC] = this.#read('app = ? AND minute = ?', app, minute).map(({ sum }) => sum);
        const { requests, clientErrors, serverErrors, bytes, time, latencies } = addTraffic(before, sum);
        this.#db.run(
          'INSERT OR REPLACE INTO traffic VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
          ...[app, minute, requests, clientErrors, serverErrors, bytes, time],
          new Uint8Array(Uint32Array.from(latencies).buffer),
        );
      }
    });
  }

  /** By minute, oldest first. */
  since(app: string, minute: number): { minute: number; sum: TrafficSum }[] {
    return this.#read('app = ? AND minute >= ? ORDER BY minute', app, minute);
  }

  removeBefore(minute: number): void {
    this.#db.run('DELETE FROM traffic WHERE minute < ?', minute);
  }

  #read(where: string, ...values: (string | number)[]): { minute: number; sum: TrafficSum }[] {
    return this.#db.all(`SELECT * FROM traffic WHERE ${where}`, ...values).map(toMinute);
  }
}

function toMinute(row: Row): { minute: number; sum: TrafficSum } {
  const bytes = Uint8Array.from(row.latencies as Uint8Array);
  return {
    minute: Number(row.minute),
    sum: {
      requests: Number(row.requests),
      clientErrors: Number(row.client_errors),
      serverErrors: Number(row.server_errors),
      bytes: Number(row.bytes),
      time: Number(row.time),
      latencies: [...new Uint32Array(bytes.buffer)],
    },
  };
}
