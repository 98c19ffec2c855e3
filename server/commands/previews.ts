import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { Command } from './command.ts';
import { parseDuration } from './duration.ts';
import { textTable } from './text-table.ts';
import { durationText } from './time-text.ts';

const list: Command = {
  name: 'previews',
  aliases: ['previews:list'],
  summary: 'List the previews of an app',
  app: 'required',
  examples: ['previews -a blog', 'previews blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const previews = platform.previews.list(app);
    const settings = platform.previews.settings(app);
    if (json) {
      const { limit, ttl, keys } = settings ?? {};
      return out.json({ on: settings !== undefined, limit, ttl, keys, previews });
    }
    if (!settings)
      return out.note(`Previews of ${app} are off: previews:on makes one of each branch that is pushed.`);
    if (previews.length === 0)
      return out.note(`${app} has no previews: push a branch, e.g. git push paas feature.`);
    const rows = previews.map(({ app: name, branch, state, url, expiresAt }) => [
      name,
      branch,
      state,
      `in ${durationText(expiresAt.getTime() - Date.now())}`,
      url,
    ]);
    out.lines(textTable(['PREVIEW', 'BRANCH', 'STATE', 'GOES', 'URL'], rows));
  },
};

const on: Command = {
  name: 'previews:on',
  summary: 'Make an app of each branch that is pushed, beside the deploy branch',
  details: [
    'A push of the branch `feature` of blog deploys to blog-feature, an app of its own with the config of blog. It idles when nobody looks,',
    'runs no cron jobs, and goes with its branch (git push paas :feature) or some time after the last push. A branch that is there already gets',
    'one with its next commit.',
  ],
  app: 'required',
  flags: [
    { name: 'limit', value: 'N', summary: 'how many at once; 5 without it' },
    { name: 'ttl', value: 'TIME', summary: 'how long after the last push, e.g. 12h; 3d without it' },
    {
      name: 'keys',
      value: 'NAMES',
      summary: 'only these config vars are copied, e.g. NODE_ENV,API_URL; or none',
    },
  ],
  examples: ['previews:on -a blog', 'previews:on -a blog --limit 10 --ttl 12h --keys NODE_ENV,API_URL'],
  access: 'change',
  async run({ platform, caller, app, out, flag }) {
    const keys = flag('keys');
    const settings = {
      limit: parseLimit(flag('limit') ?? '5'),
      ttl: parseDuration(flag('ttl') ?? '3d'),
      keys: keys === undefined ? undefined : keys === 'none' ? [] : keys.split(','),
    };
    platform.previews.on(app, settings, caller.user);
    out.note(`Previews of ${app} are on. Push a branch: git push paas feature`);
  },
};

const off: Command = {
  name: 'previews:off',
  summary: 'Remove the previews of an app, and make no more',
  app: 'required',
  examples: ['previews:off -a blog'],
  access: 'change',
  async run({ platform, caller, app, out }) {
    const count = platform.previews.list(app).length;
    await out.action(
      `Removing ${count} ${count === 1 ? 'preview' : 'previews'} of ${app}`,
      () => platform.previews.off(app, caller.user),
      () => 'done',
    );
  },
};

export const previewsCommands: Command[] = [list, on, off];

function parseLimit(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new PaasError('invalid', `${quote(text)} is no number of previews.`);
  return Number(text);
}
