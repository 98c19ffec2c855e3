import { parsePlace, placeText, unicodeOf } from '../../deploy/model/place.ts';
import type { DomainView } from '../../deploy/platform.ts';
import type { Argument, Command } from './command.ts';
import { textTable } from './text-table.ts';

const DOMAIN: Argument = {
  name: 'DOMAIN',
  summary: 'e.g. www.example.com, *.example.com or example.com/api',
  required: true,
};

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
    if (json)
      return out.json(domains.map((domain) => ({ ...domain, unicode: unicodeOf(domain.hostname) ?? null })));
    out.lines(
      textTable(
        ['DOMAIN', 'KIND'],
        domains.map((domain) => [domainText(domain), kindText(domain)]),
      ),
    );
  },
};

const add: Command = {
  name: 'domains:add',
  summary: 'Let an app answer under another host name, or under a part of one',
  details: [
    'DNS must lead the name to this server; that is for you to do where the domain is managed. `*.example.com` is every name below',
    'example.com that no app has for itself. `example.com/api` is what is below that path alone; the rest may be another app’s.',
  ],
  app: 'required',
  args: [DOMAIN],
  flags: [
    { name: 'strip', summary: 'the app sees / in place of the path, which stands in X-Forwarded-Prefix' },
  ],
  examples: [
    'domains:add www.example.com -a blog',
    'domains:add blog *.example.com',
    'domains:add example.com/api --strip -a api',
  ],
  access: 'change',
  async run({ platform, caller, app, args, out, flag }) {
    const domain = placeText(parsePlace(args[0]!));
    const strip = flag('strip') !== undefined;
    await out.action(
      `Adding ${domain} to ${app}`,
      () => platform.domains.add(app, domain, { strip, user: caller.user }),
      () => 'done',
    );
  },
};

const remove: Command = {
  name: 'domains:remove',
  summary: 'Take a host name, or a part of one, from an app',
  app: 'required',
  args: [DOMAIN],
  examples: ['domains:remove www.example.com -a blog', 'domains:remove blog www.example.com'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    const domain = placeText(parsePlace(args[0]!));
    await out.action(
      `Removing ${domain} from ${app}`,
      () => platform.domains.remove(app, domain, caller.user),
      () => 'done',
    );
  },
};

export const domainsCommands: Command[] = [list, add, remove];

/** `xn--bcher-kva.example/api (bücher.example)` */
function domainText(domain: DomainView): string {
  const unicode = unicodeOf(domain.hostname);
  return placeText(domain) + (unicode ? ` (${unicode})` : '');
}

function kindText({ builtIn, strip }: DomainView): string {
  if (builtIn) return 'built in';
  return strip ? 'added, path stripped' : 'added';
}
