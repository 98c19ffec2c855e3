import { PaasError } from '../../deploy/model/paas-error.ts';
import type { VisitorSettings } from '../../deploy/model/visitor-settings.ts';
import type { Argument, Command } from './command.ts';

const RANGE: Argument = {
  name: 'RANGE',
  summary: 'an address or a range of addresses, e.g. 203.0.113.7 or 10.0.0.0/8',
  repeated: true,
};

const list: Command = {
  name: 'access',
  aliases: ['access:list'],
  summary: 'List the addresses from which an app may be visited',
  app: 'required',
  examples: ['access -a blog', 'access blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const settings = platform.visitors.find(app);
    if (json) return out.json({ allow: settings.allow ?? null });
    if (!settings.allow) return out.note(accessText(app, settings));
    out.lines(settings.allow);
  },
};

const allow: Command = {
  name: 'access:allow',
  aliases: ['access:add', 'http-auth:add-allowed-ip'],
  summary: 'Let clients with these addresses visit an app, and all others no more',
  details: [
    'What counts is the address that the router is connected to: behind a proxy or a load balancer it is theirs. Others get status 403.',
  ],
  app: 'required',
  args: [{ ...RANGE, required: true }],
  examples: ['access:allow 10.0.0.0/8 203.0.113.7 -a blog', 'access:allow blog 2001:db8::/32'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    await out.action(
      `Changing who may visit ${app}`,
      () => platform.visitors.allow(app, args, caller.user),
      (settings) => `done, ${accessText(app, settings)}`,
    );
  },
};

const remove: Command = {
  name: 'access:remove',
  aliases: ['http-auth:remove-allowed-ip'],
  summary: 'Take addresses from the list; with the last one, everybody may visit the app again',
  app: 'required',
  args: [RANGE],
  flags: [{ name: 'all', summary: 'the whole list' }],
  examples: ['access:remove 203.0.113.7 -a blog', 'access:remove --all -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out, flag }) {
    const isAll = flag('all') !== undefined;
    if (isAll === args.length > 0)
      throw new PaasError('invalid', 'Which addresses? Name them, or say --all.');
    await out.action(
      `Changing who may visit ${app}`,
      () => platform.visitors.disallow(app, isAll ? 'all' : args, caller.user),
      (settings) => `done, ${accessText(app, settings)}`,
    );
  },
};

export const accessCommands: Command[] = [list, allow, remove];

function accessText(app: string, settings: VisitorSettings): string {
  return settings.allow
    ? `${app} may be visited from ${settings.allow.join(', ')}`
    : `${app} may be visited from everywhere`;
}
