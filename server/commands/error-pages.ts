import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { readInput } from './client-input.ts';
import type { Argument, Command } from './command.ts';
import { textTable } from './text-table.ts';

const STATUS: Argument = { name: 'STATUS', summary: '401, 403, 429, 502 or 503', required: true };

const list: Command = {
  name: 'error-pages',
  aliases: ['error-pages:list'],
  summary: "List the pages that an app has in place of the router's",
  app: 'required',
  examples: ['error-pages -a blog', 'error-pages blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const pages = Object.entries(platform.visitors.find(app).errorPages ?? {}).map(([status, html]) => ({
      status: Number(status),
      bytes: Buffer.byteLength(html),
    }));
    if (json) return out.json(pages);
    if (pages.length === 0) return out.note(`${app} has no error pages of its own.`);
    out.lines(
      textTable(
        ['STATUS', 'BYTES'],
        pages.map(({ status, bytes }) => [String(status), String(bytes)]),
      ),
    );
  },
};

const set: Command = {
  name: 'error-pages:set',
  summary: "Show visitors a page of your own where the router answers in the app's place",
  details: [
    'What the app itself answers stays as it is. 503: no dyno is up or answers in time (maintenance mode has a page of its own); 502: an answer',
    'broken off; 401, 403 and 429: http-auth, access and rate-limit.',
  ],
  app: 'required',
  args: [STATUS, { name: '-', summary: 'the page, in HTML, from standard input', required: true }],
  examples: ['error-pages:set 503 - -a blog < page.html', 'error-pages:set blog 503 - < page.html'],
  access: 'change',
  stdin: () => true,
  async run(context) {
    const { platform, caller, app, args, out } = context;
    const status = parseStatus(args[0]!);
    if (args[1] !== '-')
      throw new PaasError('invalid', 'Files are not sent. Use: error-pages:set STATUS - < FILE');
    const html = await readInput(context);
    await out.action(
      `Setting the page for status ${status} of ${app}`,
      () => platform.visitors.setErrorPage(app, { status, html }, caller.user),
      () => 'done',
    );
  },
};

const clear: Command = {
  name: 'error-pages:clear',
  summary: "Show the router's own page again",
  app: 'required',
  args: [STATUS],
  examples: ['error-pages:clear 503 -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    const status = parseStatus(args[0]!);
    await out.action(
      `Removing the page for status ${status} of ${app}`,
      () => platform.visitors.setErrorPage(app, { status, html: undefined }, caller.user),
      () => 'done',
    );
  },
};

export const errorPagesCommands: Command[] = [list, set, clear];

function parseStatus(text: string): number {
  if (!/^\d{3}$/.test(text))
    throw new PaasError('invalid', `${quote(text)} is no status: use 401, 403, 429, 502 or 503.`);
  return Number(text);
}
