import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { parsePlace } from '../../deploy/model/place.ts';
import type { HostCertificate } from '../../deploy/platform/certificates.ts';
import { certificateFields, certificateTable } from './certificate-text.ts';
import { readInput } from './client-input.ts';
import type { Argument, Command, CommandContext } from './command.ts';
import { parseOnOff } from './on-off.ts';

const HOST: Argument = { name: 'HOST', summary: 'e.g. www.example.com' };

/** Files of the client's, which only the local client can send. */
export const CERTIFICATE_FILES: Argument[] = [
  {
    name: 'CERT|-',
    summary: 'file with the certificate and its chain, maybe the key too; - is standard input',
    required: true,
  },
  { name: 'KEY', summary: 'file with the key, where CERT does not hold it' },
];

const list: Command = {
  name: 'certs',
  aliases: ['certs:list', 'certs:report'],
  summary: 'List the certificates that the hosts of an app show',
  app: 'required',
  examples: ['certs -a blog', 'certs blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const certificates = platform.certificates.list(app);
    if (json) return out.json(certificates);
    out.lines(certificateTable(certificates));
  },
};

const add: Command = {
  name: 'certs:add',
  aliases: ['certs:update'],
  summary: 'Give an app a certificate of your own, for HTTPS',
  details: [
    'PEM, in any order: the key, the certificate, and the intermediate certificates of its issuer. It must be good for a host of the app, and the',
    'key must fit and have no passphrase. It takes the place of one with the same names, at once and without a connection lost. The local client',
    'reads the files; over plain ssh they come together through standard input.',
  ],
  app: 'required',
  args: CERTIFICATE_FILES,
  files: 2,
  examples: ['certs:add site.crt site.key -a blog', 'certs:add - -a blog < bundle.pem'],
  access: 'change',
  stdin: () => true,
  json: true,
  run: (context) => addCertificate(context, context.app),
};

const info: Command = {
  name: 'certs:info',
  aliases: ['certs:show'],
  summary: 'Show the certificate of a host, or of each host of an app',
  app: 'required',
  args: [HOST],
  examples: ['certs:info -a blog', 'certs:info www.example.com -a blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, args, out, json }) {
    const all = platform.certificates.list(app);
    const certificates = args[0] === undefined ? all : ofHost(all, args[0], app);
    if (json) return out.json(certificates);
    for (const certificate of certificates) out.lines([...certificateFields(certificate), '']);
  },
};

const remove: Command = {
  name: 'certs:remove',
  aliases: ['certs:delete'],
  summary: 'Take back a certificate of your own',
  app: 'required',
  args: [{ ...HOST, required: true }],
  examples: ['certs:remove www.example.com -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    await out.action(
      `Removing the certificate for ${args[0]} from ${app}`,
      () => platform.certificates.remove(app, args[0]!, caller.user),
      () => 'done',
    );
  },
};

const auto: Command = {
  name: 'certs:auto',
  summary:
    "Have certificates for an app's hosts ordered and renewed by themselves; without arguments, show it",
  details: [
    'On for each app, where the operator has set PAAS_ACME_EMAIL. The certificate authority must reach the host at this machine, by HTTP on port 80 or by',
    'HTTPS on port 443. Wildcards, and names that are not public, get none. `off`: no more are ordered; those that there are stay.',
  ],
  app: 'required',
  args: [{ name: 'on|off', summary: 'on or off' }],
  examples: ['certs:auto -a blog', 'certs:auto off -a blog', 'certs:auto blog on --json'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json }) {
    const [word] = args;
    if (word !== undefined) {
      const automatic = parseOnOff(word);
      await out.action(
        `Setting automatic certificates of ${app}`,
        () => platform.certificates.setAutomatic(app, automatic, caller.user),
        () => `done, ${word}`,
      );
    }
    const automatic = platform.certificates.isAutomatic(app);
    if (json) return out.json({ automatic });
    if (word === undefined) out.line(automatic ? 'on' : 'off');
    if (automatic && platform.certificates.whyNone) out.note(platform.certificates.whyNone);
  },
};

const renew: Command = {
  name: 'certs:renew',
  aliases: ['certs:auto:refresh'],
  summary: 'Order certificates now: those that are missing or failed, or of one host',
  details: [
    'They come and are renewed by themselves, and after a failure are tried again at longer and longer intervals; this does not wait. Certificate',
    'authorities limit orders for a name, so one host can have at most 4 an hour and 20 a week.',
  ],
  app: 'required',
  args: [HOST],
  flags: [{ name: 'force', summary: 'also in place of one that has time' }],
  examples: ['certs:renew -a blog', 'certs:renew www.example.com -a blog --force'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json, flag }) {
    const renewed = await out.action(
      `Ordering certificates for ${args[0] ?? app}`,
      () =>
        platform.certificates.renew(app, {
          hostname: args[0],
          force: flag('force') !== undefined,
          user: caller.user,
        }),
      () => 'done',
    );
    if (json) return out.json(renewed);
    out.lines(certificateTable(renewed));
  },
};

export const certsCommands: Command[] = [list, add, info, remove, auto, renew];

/** `app` undefined: the platform's. */
export async function addCertificate(context: CommandContext, app: string | undefined): Promise<void> {
  const { platform, caller, args, out, json } = context;
  if (args[0] !== '-') {
    throw new PaasError(
      'invalid',
      `${quote(args[0]!)} is a file of yours, which plain ssh does not send. Use: cat CERT KEY | ssh … -`,
    );
  }
  const pem = await readInput(context);
  const hosts = await out.action(
    `Adding a certificate to ${app ?? 'the platform'}`,
    () => platform.certificates.add(app, pem, caller.user),
    (covered) => `done, for ${covered.map(({ hostname }) => hostname).join(', ')}`,
  );
  if (json) await out.json(hosts);
}

function ofHost(all: HostCertificate[], text: string, app: string): HostCertificate[] {
  const { hostname } = parsePlace(text);
  const found = all.filter((entry) => entry.hostname === hostname);
  if (found.length > 0) return found;
  throw new PaasError(
    'not_found',
    `${app} has no host ${quote(text)}. \`certs -a ${app}\` lists those it has.`,
  );
}
