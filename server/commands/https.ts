import type { HttpsSettings } from '../../deploy/platform/certificates.ts';
import type { Command } from './command.ts';
import { parseDuration } from './duration.ts';
import { parseOnOff } from './on-off.ts';
import { fieldList } from './text-table.ts';

const show: Command = {
  name: 'https',
  aliases: ['https:report'],
  summary: 'Show what visitors of an app who come by HTTP are told of HTTPS',
  app: 'required',
  examples: ['https -a blog', 'https blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const settings = platform.https.find(app);
    if (json) return out.json(toJson(settings));
    out.lines(fieldList({ Redirect: settings.redirect ? 'on' : 'off', HSTS: hstsText(settings) }));
  },
};

const redirect: Command = {
  name: 'https:redirect',
  summary: 'Send visitors who come by HTTP to HTTPS, on hosts that have a certificate',
  details: [
    'A host without a certificate goes on answering by HTTP. What certificate authorities ask for is always answered there.',
  ],
  app: 'required',
  args: [{ name: 'on|off', summary: 'on or off', required: true }],
  examples: ['https:redirect on -a blog', 'https:redirect blog off'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json }) {
    const word = args[0]!;
    const redirect = parseOnOff(word);
    await out.action(
      `Setting the redirect to HTTPS of ${app}`,
      () => platform.https.setRedirect(app, redirect, caller.user),
      () => `done, ${word}`,
    );
    if (json) await out.json(toJson(platform.https.find(app)));
  },
};

const hsts: Command = {
  name: 'https:hsts',
  summary: 'Tell browsers to come by HTTPS alone (Strict-Transport-Security)',
  details: [
    'Browsers remember it for that long, whatever is set later: begin with an hour. `0` tells them to forget it; `off` says nothing, or what the',
    'app itself says.',
  ],
  app: 'required',
  args: [{ name: 'TIME|off', summary: 'seconds, or e.g. 1h, 30d, 365d', required: true }],
  examples: ['https:hsts 1h -a blog', 'https:hsts 31536000 -a blog', 'https:hsts off -a blog'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json }) {
    const seconds = parseMaxAge(args[0]!);
    await out.action(
      `Setting HSTS of ${app}`,
      () => platform.https.setHsts(app, seconds, caller.user),
      () => `done, ${hstsText({ hsts: seconds })}`,
    );
    if (json) await out.json(toJson(platform.https.find(app)));
  },
};

export const httpsCommands: Command[] = [show, redirect, hsts];

function parseMaxAge(text: string): number | undefined {
  if (text === 'off') return undefined;
  return /^\d{1,10}$/.test(text) ? Number(text) : parseDuration(text);
}

function hstsText({ hsts }: Pick<HttpsSettings, 'hsts'>): string {
  if (hsts === undefined) return 'off';
  return hsts === 0 ? 'browsers are told to forget it' : `${hsts} seconds`;
}

function toJson({ redirect, hsts }: HttpsSettings) {
  return { redirect, hsts: hsts ?? null };
}
