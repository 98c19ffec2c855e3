import type { DeliveryRecord, WebhookStore } from '../store/webhook-store.ts';
import type { AddressPolicy } from './address-policy.ts';
import { postWebhook } from './webhook-request.ts';

/** Milliseconds between attempts; after the last one a delivery has failed. */
const PAUSES_MS = [10, 30, 120, 600, 1800, 3600, 10_800].map((seconds) => seconds * 1000);
/** A receiver that hangs must not hold up the others. */
const AT_ONCE = 8;
/** Of each webhook, so many deliveries are kept to be looked at, and to be sent again. */
const KEPT = 200;
/** Longest time between two looks into the queue. */
const LOOK_MS = 60_000;

export interface WebhookDispatcherOptions {
  store: WebhookStore;
  policy: AddressPolicy;
  log: (text: string) => void;
  /** Milliseconds, for tests; else PAUSES_MS. */
  pauses?: number[];
}

/** Sends what waits, of each webhook one at a time and in order; what fails is tried again, with growing pauses. */
export class WebhookDispatcher {
  #options: WebhookDispatcherOptions;
  /** Webhooks with a request under way. */
  #busy = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: WebhookDispatcherOptions) {
    this.#options = options;
  }

  /** Begins what is due, and looks again when the next is. */
  wake(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    const now = Date.now();
    const free = this.#options.store.heads().filter(({ webhook }) => !this.#busy.has(webhook));
    const due = free
      .filter(({ nextAt }) => (nextAt?.getTime() ?? 0) <= now)
      .slice(0, AT_ONCE - this.#busy.size);
    for (const delivery of due) void this.#deliver(delivery);
    const next = free.find((delivery) => !due.includes(delivery))?.nextAt?.getTime() ?? now + LOOK_MS;
    this.#timer = setTimeout(() => this.wake(), Math.min(Math.max(next - now, 100), LOOK_MS)).unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Never rejects. */
  async #deliver(delivery: DeliveryRecord): Promise<void> {
    const { webhook } = delivery;
    this.#busy.add(webhook);
    try {
      await this.#send(delivery);
      this.#busy.delete(webhook);
      this.wake();
    } catch (error) {
      // What came of it is not in the store, on a full disk say: at once it would be sent again, and again.
      this.#options.log(`webhooks: ${(error as Error).message}`);
      setTimeout(() => this.#busy.delete(webhook), LOOK_MS).unref();
    }
  }

  async #send(delivery: DeliveryRecord): Promise<void> {
    const { store, policy } = this.#options;
    const webhook = store.find(delivery.webhook);
    if (!webhook) return;
    const { id, body } = delivery;
    const message = { url: webhook.url, secret: webhook.secret, id, body };
    const answer = await postWebhook(message, policy).catch((error: Error) => error);
    if (typeof answer !== 'number') this.#note(delivery, answer.message, undefined);
    else this.#note(delivery, answer >= 200 && answer < 300 ? undefined : `status ${answer}`, answer);
  }

  #note(delivery: DeliveryRecord, reason: string | undefined, status: number | undefined): void {
    if (this.#closed) return;
    const { store, pauses = PAUSES_MS } = this.#options;
    const pause = pauses[delivery.attempts];
    const state = reason === undefined ? 'delivered' : pause === undefined ? 'failed' : 'pending';
    const nextAt = state === 'pending' ? new Date(Date.now() + pause!) : undefined;
    store.note(delivery.id, { state, nextAt, status, reason });
    store.forget(delivery.webhook, KEPT);
  }
}
