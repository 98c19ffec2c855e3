export interface WebhookView {
  /** Unique on the platform. */
  id: number;
  url: string;
  createdAt: Date;
  createdBy: string;
}

export type DeliveryState = 'pending' | 'delivered' | 'failed';

/** One event on its way to one webhook. */
export interface DeliveryView {
  /** Unique on the platform. */
  id: number;
  webhook: number;
  /** As the event's, e.g. `ps:scale`. */
  action: string;
  state: DeliveryState;
  createdAt: Date;
  attempts: number;
  /** While it is pending: the next attempt. */
  nextAt: Date | undefined;
  /** Of the last answer, if there was one. */
  status: number | undefined;
  /** Why the last attempt failed, in words. */
  reason: string | undefined;
}

/** Addresses that hear of an app's events. */
export interface Webhooks {
  list(app: string): WebhookView[];
  /**
   * `secret`: for the signature; undefined: one is made. Returned this once. Throws `invalid` for what is no URL or leads to an address that webhooks
   * may not reach, `conflict` where there are too many.
   */
  add(
    app: string,
    options: { url: string; secret: string | undefined; user: string },
  ): Promise<WebhookView & { secret: string }>;
  /** Throws `not_found`. */
  remove(app: string, id: number, user: string): void;
  /** Newest first: the last that are kept, of all of an app's webhooks. */
  deliveries(app: string): DeliveryView[];
  /** Once more, now. Throws `not_found`. */
  redeliver(app: string, delivery: number, user: string): DeliveryView;
}
