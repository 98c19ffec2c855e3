import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { RATE_UNITS, type Rate, rateText } from '../../deploy/model/rate-text.ts';
import type { Command } from './command.ts';

const show: Command = {
  name: 'rate-limit',
  summary: 'Show how many requests each client may make to an app',
  app: 'required',
  examples: ['rate-limit -a blog', 'rate-limit blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const { rate } = platform.visitors.find(app);
    if (json) return out.json(rate ?? null);
    if (!rate) return out.note(`${app} has no rate limit.`);
    out.line(`each client: ${rateText(rate)}`);
  },
};

const set: Command = {
  name: 'rate-limit:set',
  summary: 'Set how many requests each client may make to an app',
  details: [
    'A client is an IPv4 address, or an IPv6 network of 64 bits. It may use its number up at once, and then goes on at an even pace; what is',
    'beyond it gets status 429 with Retry-After, and does not reach the app.',
  ],
  app: 'required',
  args: [{ name: 'RATE', summary: 'e.g. 100/s, 600/m or 1000/h', required: true }],
  flags: [
    { name: 'burst', value: 'REQUESTS', summary: 'how many at once; as many as RATE says unless given' },
  ],
  examples: ['rate-limit:set 100/s -a blog', 'rate-limit:set blog 600/m --burst 50'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json, flag }) {
    const rate = parseRate(args[0]!, flag('burst'));
    await out.action(
      `Setting the rate limit of ${app}`,
      () => platform.visitors.setRate(app, rate, caller.user),
      () => `done, each client: ${rateText(rate)}`,
    );
    if (json) await out.json(rate);
  },
};

const clear: Command = {
  name: 'rate-limit:clear',
  aliases: ['rate-limit:unset'],
  summary: 'Let each client make as many requests as it likes',
  app: 'required',
  examples: ['rate-limit:clear -a blog'],
  access: 'change',
  async run({ platform, caller, app, out }) {
    await out.action(
      `Clearing the rate limit of ${app}`,
      () => platform.visitors.setRate(app, undefined, caller.user),
      () => 'done',
    );
  },
};

export const rateLimitCommands: Command[] = [show, set, clear];

/** `100/s`, and how many at once. Throws `invalid`. */
export function parseRate(text: string, burst: string | undefined): Rate {
  const match = /^([1-9]\d{0,5})\/(s|m|h)$/.exec(text);
  if (!match) {
    throw new PaasError('invalid', `${quote(text)} is no rate: it should look like 100/s, 600/m or 1000/h.`);
  }
  if (burst !== undefined && !/^[1-9]\d{0,5}$/.test(burst)) {
    throw new PaasError('invalid', `${quote(burst)} is no number of requests from 1 to 999999.`);
  }
  const requests = Number(match[1]);
  const milliseconds = RATE_UNITS[match[2] as keyof typeof RATE_UNITS];
  return { requests, milliseconds, burst: Number(burst ?? requests) };
}
