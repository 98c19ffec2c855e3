import { certificateTable } from './certificate-text.ts';
import { addCertificate, CERTIFICATE_FILES } from './certs.ts';
import type { Command } from './command.ts';

const list: Command = {
  name: 'global-cert',
  aliases: ['global-cert:list', 'global-cert:report'],
  summary: "List the platform's own certificates",
  examples: ['global-cert', 'global-cert --json'],
  access: 'look',
  json: true,
  async run({ platform, out, json }) {
    const certificates = platform.certificates.list(undefined);
    if (json) return out.json(certificates);
    out.lines(certificateTable(certificates));
  },
};

const add: Command = {
  name: 'global-cert:add',
  aliases: ['global-cert:set'],
  summary: 'Give the platform a certificate for the dashboard and for the built-in hosts of all apps',
  details: ['As certs:add; it must be good for names below PAAS_DOMAIN, best of all for `*.<domain>`.'],
  args: CERTIFICATE_FILES,
  files: 2,
  examples: ['global-cert:add wildcard.crt wildcard.key', 'global-cert:add - < bundle.pem'],
  access: 'operate',
  stdin: () => true,
  json: true,
  run: (context) => addCertificate(context, undefined),
};

const remove: Command = {
  name: 'global-cert:remove',
  summary: 'Take back a certificate of the platform',
  args: [{ name: 'HOST', summary: 'a name in it, e.g. *.apps.example.com', required: true }],
  examples: ['global-cert:remove *.apps.example.com'],
  access: 'operate',
  async run({ platform, caller, args, out }) {
    await out.action(
      `Removing the platform's certificate for ${args[0]}`,
      () => platform.certificates.remove(undefined, args[0]!, caller.user),
      () => 'done',
    );
  },
};

export const globalCertCommands: Command[] = [list, add, remove];
