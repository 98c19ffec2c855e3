import { parseHostname } from '../../deploy/model/hostname.ts';
import type { Argument, Command } from './command.ts';
import { textTable } from './text-table.ts';

const HOSTNAME: Argument = { name: 'HOSTNAME', summary: 'e.g. www.example.com', required: true };

const list: Command = {
  name: 'domains',
  aliases: ['domains:list', 'domains:report'],
  summary: 'List the host names of an app',
  app: 'required',
  examples: ['domains -a blog', 'domains blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const domains = platform.domains.list(app);
    if (json) return out.json(domains);
    const rows = domains.map(({ hostname, builtIn }) => [hostname, builtIn ? 'built in' : 'added']);
    out.lines(textTable(['HOSTNAME', 'KIND'], rows));
  },
};

const add: Command = {
  name: 'domains:add',
  summary: 'Let an app answer under another host name',
  details: ['DNS must lead the name to this server; that is for you to do where the domain is managed.'],
  app: 'required',
  args: [HOSTNAME],
  examples: ['domains:add www.example.com -a blog', 'domains:add blog www.example.com'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    const hostname = parseHostname(args[0]!);
    await out.action(
      `Adding ${hostname} to ${app}`,
      () => platform.domains.add(app, hostname, caller.user),
      () => 'done',
    );
  },
};

const remove: Command = {
  name: 'domains:remove',
  summary: 'Take a host name from an app',
  app: 'required',
  args: [HOSTNAME],
  examples: ['domains:remove www.example.com -a blog', 'domains:remove blog www.example.com'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    const hostname = parseHostname(args[0]!);
    await out.action(
      `Removing ${hostname} from ${app}`,
      () => platform.domains.remove(app, hostname, caller.user),
      () => 'done',
    );
  },
};

export const domainsCommands: Command[] = [list, add, remove];
