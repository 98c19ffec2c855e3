import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { unicodeOf } from '../../deploy/model/place.ts';
import type { Command } from './command.ts';
import { textTable } from './text-table.ts';

const list: Command = {
  name: 'redirects',
  aliases: ['redirects:list', 'redirect'],
  summary: 'List the host names of an app that lead to another one',
  app: 'required',
  examples: ['redirects -a blog', 'redirects blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const redirects = platform.redirects.list(app);
    if (json) return out.json(redirects);
    if (redirects.length === 0) return out.note(`${app} has no redirects.`);
    const rows = redirects.map(({ hostname, to, status }) => [nameText(hostname), to, String(status)]);
    out.lines(textTable(['FROM', 'TO', 'STATUS'], rows));
  },
};

const add: Command = {
  name: 'redirects:add',
  aliases: ['redirect:set'],
  summary: 'Send the visitors of one host name to another, with the path that they asked for',
  details: [
    'Scheme and port stay as they are, unless the target says others. 301 and 308 are kept by browsers; 307 and 308 keep method and',
    'body of a request.',
  ],
  app: 'required',
  args: [
    { name: 'FROM', summary: 'e.g. www.example.com or *.example.org', required: true },
    { name: 'TO', summary: 'e.g. example.com or https://example.com', required: true },
  ],
  flags: [{ name: 'status', aliases: ['code'], value: 'STATUS', summary: '301 (default), 302, 307 or 308' }],
  examples: [
    'redirects:add www.example.com example.com -a blog',
    'redirects:add blog old.example.com https://example.com --status 308',
  ],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json, flag }) {
    const [from, to] = args as [string, string];
    const status = parseStatus(flag('status') ?? '301');
    const added = await out.action(
      `Adding a redirect to ${app}`,
      () => platform.redirects.add(app, { from, to, status }, caller.user),
      (redirect) => `done, ${redirect.hostname} leads to ${redirect.to} (${redirect.status})`,
    );
    if (json) await out.json(added);
  },
};

const remove: Command = {
  name: 'redirects:remove',
  aliases: ['redirect:unset'],
  summary: 'Do not send the visitors of a host name elsewhere any more',
  app: 'required',
  args: [{ name: 'FROM', summary: 'e.g. www.example.com', required: true }],
  examples: ['redirects:remove www.example.com -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    await out.action(
      `Removing a redirect from ${app}`,
      () => platform.redirects.remove(app, args[0]!, caller.user),
      () => 'done',
    );
  },
};

export const redirectsCommands: Command[] = [list, add, remove];

function parseStatus(text: string): number {
  if (!/^\d{3}$/.test(text))
    throw new PaasError('invalid', `${quote(text)} is no status: use 301, 302, 307 or 308.`);
  return Number(text);
}

function nameText(hostname: string): string {
  const unicode = unicodeOf(hostname);
  return hostname + (unicode ? ` (${unicode})` : '');
}
