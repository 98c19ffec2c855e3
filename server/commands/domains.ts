import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { parsePlace, placeText, unicodeOf } from '../../deploy/model/place.ts';
import type { DomainView } from '../../deploy/platform/addresses.ts';
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
    if (json) return out.json(domains.map(domainJson));
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
    {
      name: 'passthrough',
      value: 'PORT',
      summary:
        'TLS for this name goes to this port of the web dynos unread: certificate and key are the app’s own',
    },
    { name: 'strip', summary: 'the app sees / in place of the path, which stands in X-Forwarded-Prefix' },
  ],
  examples: [
    'domains:add www.example.com -a blog',
    'domains:add blog *.example.com',
    'domains:add example.com/api --strip -a api',
    'domains:add secure.example.com --passthrough 8443 -a vault',
  ],
  access: 'change',
  async run({ platform, caller, app, args, out, flag }) {
    const domain = placeText(parsePlace(args[0]!));
    const strip = flag('strip') !== undefined;
    const passthrough = parsePort(flag('passthrough'));
    await out.action(
      `Adding ${domain} to ${app}`,
      () =>
        platform.domains.add(app, domain, {
          strip,
          ...(passthrough !== undefined && { passthrough }),
          user: caller.user,
        }),
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

function domainJson(domain: DomainView) {
  return {
    ...domain,
    passthrough: domain.passthrough ?? null,
    unicode: unicodeOf(domain.hostname) ?? null,
  };
}

/** `xn--bcher-kva.example/api (bücher.example)` */
function domainText(domain: DomainView): string {
  const unicode = unicodeOf(domain.hostname);
  return placeText(domain) + (unicode ? ` (${unicode})` : '');
}

function kindText({ builtIn, strip, passthrough }: DomainView): string {
  if (builtIn) return 'built in';
  if (passthrough !== undefined) return `added, TLS passed through to port ${passthrough}`;
  return strip ? 'added, path stripped' : 'added';
}

function parsePort(text: string | undefined): number | undefined {
  if (text !== undefined && !/^\d{1,5}$/.test(text))
    throw new PaasError('invalid', `${quote(text)} is no port: they go from 1 to 65535.`);
  return text === undefined ? undefined : Number(text);
}
