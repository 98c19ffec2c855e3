import type { DeliveryState, DeliveryView, WebhookView } from '../platform/webhooks.ts';
import type { Database, Row } from './database.ts';

export interface WebhookRecord extends WebhookView {
  app: string;
  secret: string;
}

export interface DeliveryRecord extends DeliveryView {
  body: string;
}

/** Webhooks of all apps, and what is on its way to them: this is the queue, so that no restart loses an event. */
export class WebhookStore {
  #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  list(app: string): WebhookRecord[] {
    return this.#db.all('SELECT * FROM webhooks WHERE app = ? ORDER BY id', app).map(toWebhook);
  }

  find(id: number): WebhookRecord | undefined {
    const row = this.#db.get('SELECT * FROM webhooks WHERE id = ?', id);
    return row && toWebhook(row);
  }

  add(webhook: { app: string; url: string; secret: string; user: string }): WebhookRecord {
    const sql = 'INSERT INTO webhooks (app, url, secret, created_by, created_at) VALUES (?, ?, ?, ?, ?)';
    const { app, url, secret, user } = webhook;
    return this.find(this.#db.run(sql, app, url, secret, user, Date.now()).lastId)!;
  }

  remove(id: number): void {
    this.#db.run('DELETE FROM webhooks WHERE id = ?', id);
  }

  enqueue(delivery: { webhook: number; action: string; body: string }): void {
    const now = Date.now();
    this.#db.run(
      `INSERT INTO webhook_deliveries (webhook, action, body, state, attempts, created_at, next_at)
       VALUES (?, ?, ?, 'pending', 0, ?, ?)`,
      delivery.webhook,
      delivery.action,
      delivery.body,
      now,
      now,
    );
  }

  pending(webhook: number): number {
    const sql = "SELECT count(*) AS n FROM webhook_deliveries WHERE webhook = ? AND state = 'pending'";
    return Number(this.#db.get(sql, webhook)!.n);
  }

  /** Of each webhook the first that waits, soonest first: they stay in order. */
  heads(): DeliveryRecord[] {
    return this.#db
      .all(
        `SELECT * FROM webhook_deliveries WHERE id IN (
           SELECT min(id) FROM webhook_deliveries WHERE state = 'pending' GROUP BY webhook)
         ORDER BY next_at`,
      )
      .map(toDelivery);
  }

  /** Newest first. */
  deliveries(app: string, count: number): DeliveryRecord[] {
    const sql = `SELECT webhook_deliveries.* FROM webhook_deliveries JOIN webhooks ON webhooks.id = webhook_deliveries.webhook
       WHERE webhooks.app = ? ORDER BY webhook_deliveries.id DESC LIMIT ?`;
    return this.#db.all(sql, app, count).map(toDelivery);
  }

  /** What became of an attempt. */
  note(
    id: number,
    outcome: {
      state: DeliveryState;
      nextAt: Date | undefined;
      status: number | undefined;
      reason: string | undefined;
    },
  ): void {
    this.#db.run(
      `UPDATE webhook_deliveries SET state = ?, attempts = attempts + 1, next_at = ?, status = ?, reason = ? WHERE id = ?`,
      outcome.state,
      outcome.nextAt?.getTime() ?? null,
      outcome.status ?? null,
      outcome.reason ?? null,
      id,
    );
  }

  again(id: number): void {
    const sql =
      "UPDATE webhook_deliveries SET state = 'pending', attempts = 0, next_at = ?, reason = NULL WHERE id = ?";
    this.#db.run(sql, Date.now(), id);
  }

  /** All but the last `kept` of a webhook's that are not pending. */
  forget(webhook: number, kept: number): void {
    this.#db.run(
      `DELETE FROM webhook_deliveries WHERE webhook = ? AND state != 'pending' AND id <= (
         SELECT id FROM webhook_deliveries WHERE webhook = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
      webhook,
      webhook,
      kept,
    );
  }
}

function toWebhook(row: Row): WebhookRecord {
  return {
    id: Number(row.id),
    app: String(row.app),
    url: String(row.url),
    secret: String(row.secret),
    createdAt: new Date(Number(row.created_at)),
    createdBy: String(row.created_by),
  };
}

function toDelivery(row: Row): DeliveryRecord {
  return {
    id: Number(row.id),
    webhook: Number(row.webhook),
    action: String(row.action),
    body: String(row.body),
    state: row.state as DeliveryState,
    createdAt: new Date(Number(row.created_at)),
    attempts: Number(row.attempts),
    nextAt: row.next_at === null || row.state !== 'pending' ? undefined : new Date(Number(row.next_at)),
    status: row.status === null ? undefined : Number(row.status),
    reason: row.reason === null ? undefined : String(row.reason),
  };
}
