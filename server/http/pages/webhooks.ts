import { PaasError } from '../../../deploy/model/paas-error.ts';
import type { DeliveryView } from '../../../deploy/platform/webhooks.ts';
import { changeApp } from '../change.ts';
import type { Exchange } from '../exchange.ts';

const SHOWN = 30;

interface Shown {
  problem?: string;
  url?: string;
  status?: number;
}

export async function show(exchange: Exchange): Promise<void> {
  await showWith(exchange, {});
}

/** The secret is shown this once, on top of the page that comes next. */
export async function add(exchange: Exchange): Promise<void> {
  const url = exchange.field('url');
  await changeApp(exchange, {
    tab: 'webhooks',
    async work(app) {
      const { webhooks } = exchange.platform;
      const { id, secret } = await webhooks.add(app, { url, secret: undefined, user: exchange.user });
      return `Added webhook ${id}. Its secret, which is shown this once: ${secret}`;
    },
    showAgain: (problem) => showWith(exchange, { url, problem: problem.message, status: problem.status }),
  });
}

export async function remove(exchange: Exchange): Promise<void> {
  const id = parseId(exchange.field('webhook'));
  await change(exchange, (app) => {
    exchange.platform.webhooks.remove(app, id, exchange.user);
    return `Removed webhook ${id}.`;
  });
}

export async function redeliver(exchange: Exchange): Promise<void> {
  const id = parseId(exchange.field('delivery'));
  await change(exchange, (app) => {
    exchange.platform.webhooks.redeliver(app, id, exchange.user);
    return `Delivery ${id} is sent again.`;
  });
}

async function change(exchange: Exchange, work: (app: string) => string): Promise<void> {
  await changeApp(exchange, {
    tab: 'webhooks',
    work,
    showAgain: (problem) => showWith(exchange, { problem: problem.message, status: problem.status }),
  });
}

async function showWith(exchange: Exchange, { problem = '', url = '', status = 200 }: Shown): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app'));
  const { webhooks } = exchange.platform;
  const data = {
    webhooks: webhooks.list(app.name),
    deliveries: webhooks.deliveries(app.name).slice(0, SHOWN).map(deliveryRow),
    form: { url, problem },
  };
  await exchange.page('webhooks/list', { app, ...data, tab: 'webhooks' }, status);
}

function deliveryRow({ status, reason, ...delivery }: DeliveryView) {
  return { ...delivery, answer: reason ?? (status === undefined ? '' : `status ${status}`) };
}

function parseId(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new PaasError('invalid', 'Choose one of those on the page.');
  return Number(text);
}
