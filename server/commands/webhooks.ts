import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { DeliveryView, WebhookView } from '../../deploy/platform/webhooks.ts';
import { readInput } from './client-input.ts';
import type { Argument, Command } from './command.ts';
import { textTable } from './text-table.ts';
import { timeText } from './time-text.ts';

const list: Command = {
  name: 'webhooks',
  aliases: ['webhooks:list'],
  summary: 'List the addresses that hear of an app',
  app: 'required',
  examples: ['webhooks -a blog', 'webhooks blog --json'],
  access: 'change',
  json: true,
  async run({ platform, app, out, json }) {
    const webhooks = platform.webhooks.list(app);
    if (json) return out.json(webhooks.map(webhookJson));
    if (webhooks.length === 0) return out.note(`${app} has no webhooks: webhooks:add makes one.`);
    out.lines(textTable(['WEBHOOK', 'URL', 'BY', 'SINCE'], webhooks.map(webhookRow)));
  },
};

const add: Command = {
  name: 'webhooks:add',
  summary: 'Tell an address of each event of an app, by a signed request',
  details: [
    'Each event (`paas events`) is POSTed as JSON. The header paas-webhook-signature is v1= and the HMAC-SHA256, by the secret, of the header',
    'paas-webhook-timestamp (seconds), a dot and the body: docs/webhooks.md. Without --secret one is made, and printed this once.',
  ],
  app: 'required',
  args: [{ name: 'URL', summary: 'e.g. https://example.com/hook', required: true }],
  flags: [
    {
      name: 'secret',
      value: '-',
      summary: '`-` reads the secret from standard input, so that it stands in no shell history',
    },
  ],
  examples: [
    'webhooks:add https://example.com/hook -a blog',
    'webhooks:add https://example.com/hook --secret - -a blog < secret.txt',
  ],
  access: 'change',
  json: true,
  stdin: (_args, flags) => flags.get('secret') === '-',
  async run(context) {
    const { platform, caller, app, args, out, json, flag } = context;
    const given = flag('secret');
    if (given !== undefined && given !== '-')
      throw new PaasError('invalid', 'The secret comes from standard input: --secret - < secret.txt');
    const secret = given === undefined ? undefined : (await readInput(context)).replace(/\r?\n$/, '');
    const webhook = await out.action(
      `Adding a webhook to ${app}`,
      () => platform.webhooks.add(app, { url: args[0]!, secret, user: caller.user }),
      ({ id }) => `done, webhook ${id}`,
    );
    if (json)
      return out.json({ ...webhookJson(webhook), ...(secret === undefined && { secret: webhook.secret }) });
    if (secret !== undefined) return;
    out.note('Its secret, shown this once:');
    out.line(webhook.secret);
  },
};

const remove: Command = {
  name: 'webhooks:remove',
  summary: 'Tell an address nothing more',
  app: 'required',
  args: [{ name: 'WEBHOOK', summary: 'its number, as `webhooks` lists it', required: true }],
  examples: ['webhooks:remove 3 -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    const id = parseNumber(args[0]!);
    await out.action(
      `Removing webhook ${id} of ${app}`,
      async () => platform.webhooks.remove(app, id, caller.user),
      () => 'done',
    );
  },
};

const deliveries: Command = {
  name: 'webhooks:deliveries',
  summary: 'List what webhooks of an app were told, newest first, and what came of it',
  details: [
    'Whatever is not answered with a status of 200 to 299 within 10 s is tried 7 times more, over about 5 hours.',
  ],
  app: 'required',
  examples: ['webhooks:deliveries -a blog', 'webhooks:deliveries blog --json'],
  access: 'change',
  json: true,
  async run({ platform, app, out, json }) {
    const all = platform.webhooks.deliveries(app);
    if (json) return out.json(all.map(deliveryJson));
    if (all.length === 0) return out.note('Nothing has been sent yet.');
    const head = ['DELIVERY', 'WEBHOOK', 'EVENT', 'STATE', 'ATTEMPTS', 'WHEN', 'ANSWER'];
    out.lines(textTable(head, all.map(deliveryRow)));
  },
};

const DELIVERY: Argument = {
  name: 'DELIVERY',
  summary: 'its number, as `webhooks:deliveries` lists it',
  required: true,
};

const redeliver: Command = {
  name: 'webhooks:redeliver',
  summary: 'Send a delivery once more, now',
  app: 'required',
  args: [DELIVERY],
  examples: ['webhooks:redeliver 120 -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    const id = parseNumber(args[0]!);
    await out.action(
      `Sending delivery ${id} again`,
      async () => platform.webhooks.redeliver(app, id, caller.user),
      () => 'done',
    );
  },
};

export const webhooksCommands: Command[] = [list, add, remove, deliveries, redeliver];

function parseNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new PaasError('invalid', `${quote(text)} is no number, e.g. 12.`);
  return Number(text);
}

function webhookRow({ id, url, createdBy, createdAt }: WebhookView): string[] {
  return [String(id), url, createdBy, timeText(createdAt)];
}

function webhookJson({ id, url, createdBy, createdAt }: WebhookView) {
  return { id, url, createdBy, createdAt: createdAt.toISOString() };
}

function deliveryRow(delivery: DeliveryView): string[] {
  const { id, webhook, action, state, attempts, createdAt, status, reason } = delivery;
  const answer = reason ?? (status === undefined ? '-' : `status ${status}`);
  return [String(id), String(webhook), action, state, String(attempts), timeText(createdAt), answer];
}

function deliveryJson(delivery: DeliveryView) {
  return {
    ...delivery,
    createdAt: delivery.createdAt.toISOString(),
    nextAt: delivery.nextAt?.toISOString() ?? null,
    status: delivery.status ?? null,
    reason: delivery.reason ?? null,
  };
}
