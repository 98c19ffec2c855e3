import { randomBytes } from 'node:crypto';
import type { Activity } from '../activity.ts';
import { PaasError } from '../model/paas-error.ts';
import type { DeliveryView, Webhooks, WebhookView } from '../platform/webhooks.ts';
import type { PlatformEvent } from '../platform.ts';
import type { AppStore } from '../store/app-store.ts';
import type { DeliveryRecord, WebhookRecord, WebhookStore } from '../store/webhook-store.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { WebhookDispatcher } from './webhook-dispatcher.ts';
import { parseWebhookUrl, resolveForWebhook } from './webhook-request.ts';

const MOST = 20;
/** A receiver that is away for long: what comes then is not sent. */
const MOST_PENDING = 1000;
const SHOWN = 100;

export interface AppWebhooksOptions {
  apps: AppStore;
  store: WebhookStore;
  activity: Activity;
  policy: AddressPolicy;
  dispatcher: WebhookDispatcher;
}

/** Tells other machines what happens to an app: each event of its audit trail is a signed request. */
export class AppWebhooks implements Webhooks {
  #options: AppWebhooksOptions;

  constructor(options: AppWebhooksOptions) {
    this.#options = options;
    options.activity.onEvent((event) => this.#tell(event));
  }

  list(app: string): WebhookView[] {
    return this.#of(app).map(viewOf);
  }

  async add(
    app: string,
    { url, secret, user }: { url: string; secret: string | undefined; user: string },
  ): Promise<WebhookView & { secret: string }> {
    const { store, activity, policy } = this.#options;
    if (this.#of(app).length >= MOST)
      throw new PaasError('conflict', `${app} has ${MOST} webhooks already. webhooks:remove takes one away.`);
    if (secret !== undefined && (secret.length < 8 || secret.length > 1000))
      throw new PaasError('invalid', 'The secret of a webhook must have 8 to 1000 characters.');
    const parsed = parseWebhookUrl(url);
    await resolveForWebhook(parsed, policy);
    const made = secret ?? randomBytes(24).toString('base64url');
    const webhook = store.add({ app, url: parsed.href, secret: made, user });
    activity.note({
      app,
      user,
      action: 'webhooks:add',
      text: `Webhook ${webhook.id} to ${parsed.host} added`,
    });
    return { ...viewOf(webhook), secret: made };
  }

  remove(app: string, id: number, user: string): void {
    const webhook = this.#of(app).find((candidate) => candidate.id === id);
    if (!webhook)
      throw new PaasError(
        'not_found',
        `${app} has no webhook ${id}. \`paas webhooks -a ${app}\` lists those there are.`,
      );
    this.#options.store.remove(id);
    const text = `Webhook ${id} removed`;
    this.#options.activity.note({ app, user, action: 'webhooks:remove', text });
  }

  deliveries(app: string): DeliveryView[] {
    this.#options.apps.find(app);
    return this.#options.store.deliveries(app, SHOWN).map(deliveryOf);
  }

  redeliver(app: string, id: number, user: string): DeliveryView {
    const { store, activity, dispatcher } = this.#options;
    if (!this.deliveries(app).some((delivery) => delivery.id === id))
      throw new PaasError(
        'not_found',
        `${app} has no delivery ${id}. \`paas webhooks:deliveries -a ${app}\` lists those that are kept.`,
      );
    store.again(id);
    activity.note({ app, user, action: 'webhooks:redeliver', text: `Delivery ${id} is sent again` });
    dispatcher.wake();
    return this.deliveries(app).find((delivery) => delivery.id === id)!;
  }

  #of(app: string): WebhookRecord[] {
    this.#options.apps.find(app);
    return this.#options.store.list(app);
  }

  #tell(event: PlatformEvent): void {
    const { store, dispatcher } = this.#options;
    if (event.app === undefined) return;
    const webhooks = store.list(event.app);
    if (webhooks.length === 0) return;
    const body = JSON.stringify(event);
    for (const { id } of webhooks)
      if (store.pending(id) < MOST_PENDING) store.enqueue({ webhook: id, action: event.action, body });
    dispatcher.wake();
  }
}

function viewOf({ id, url, createdAt, createdBy }: WebhookRecord): WebhookView {
  return { id, url, createdAt, createdBy };
}

function deliveryOf({ body: _, ...delivery }: DeliveryRecord): DeliveryView {
  return delivery;
}
