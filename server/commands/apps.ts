import { parseAppName } from '../../deploy/model/app-name.ts';
import type { AppSummary } from '../../deploy/platform.ts';
import { confirmByName } from './client-input.ts';
import type { Command } from './command.ts';
import { pushUrl } from './push-url.ts';
import { fieldList, textTable } from './text-table.ts';
import { timeText } from './time-text.ts';

const list: Command = {
  name: 'apps',
  aliases: ['apps:list', 'list'],
  summary: 'List the apps',
  examples: ['apps', 'apps --json'],
  access: 'look',
  json: true,
  async run({ platform, out, json }) {
    const apps = platform.apps.list();
    if (json) return out.json(apps.map(appJson));
    if (apps.length === 0)
      return out.note('There are no apps yet. `apps:create NAME` makes one; so does the first git push.');
    out.lines(textTable(['NAME', 'STATE', 'DYNOS', 'RELEASE', 'URL'], apps.map(appRow)));
  },
};

const create: Command = {
  name: 'apps:create',
  aliases: ['create'],
  summary: 'Make an app',
  details: ['A first `git push` to a name that is free makes the app as well.'],
  app: 'new',
  examples: ['apps:create blog'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, out, json, sshAddress }) {
    parseAppName(app);
    const created = await out.action(
      `Creating ${app}`,
      async () => platform.apps.create(app, caller.user),
      () => 'done',
    );
    if (json) return out.json(appJson(created));
    out.line(`${created.url} | ${pushUrl(sshAddress(), app)}`);
  },
};

const destroy: Command = {
  name: 'apps:destroy',
  aliases: ['destroy', 'apps:delete'],
  summary: 'Stop an app and delete all of it',
  details: [
    'Deletes the dynos, releases, config vars, domains, logs and the git repository. There is no way back.',
  ],
  app: 'required',
  examples: ['apps:destroy -a blog', 'apps:destroy blog --confirm blog'],
  access: 'change',
  confirms: true,
  async run(context) {
    const { platform, caller, app, out } = context;
    await confirmByName(
      context,
      `This stops ${app} and deletes its releases, config vars, domains, logs and git repository for good.`,
    );
    await out.action(
      `Destroying ${app}`,
      () => platform.apps.destroy(app, caller.user),
      () => 'done',
    );
  },
};

const info: Command = {
  name: 'apps:info',
  aliases: ['info', 'apps:report'],
  summary: 'Show one app',
  app: 'required',
  examples: ['apps:info -a blog', 'apps:info blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json, sshAddress }) {
    const summary = platform.apps.find(app);
    const formation = platform.dynos.formation(app);
    const domains = platform.domains.list(app).map((domain) => domain.hostname);
    const gitUrl = pushUrl(sshAddress(), app);
    if (json) return out.json({ ...appJson(summary), formation, domains, gitUrl });
    out.line(`=== ${app}`);
    out.lines(
      fieldList({
        State: summary.state,
        Dynos: formation.map(({ type, quantity }) => `${type}: ${quantity}`).join(', ') || 'none',
        Release: summary.release === undefined ? 'none yet' : releaseText(summary),
        'Web URL': summary.url,
        'Git URL': gitUrl,
        Domains: domains.join(', '),
        Created: timeText(summary.createdAt),
      }),
    );
  },
};

export const appsCommands: Command[] = [list, create, destroy, info];

function appRow(app: AppSummary): string[] {
  const release = app.release === undefined ? '-' : `v${app.release}`;
  return [app.name, app.state, `${app.dynos.running}/${app.dynos.wanted}`, release, app.url];
}

function releaseText({ release, releasedAt }: AppSummary): string {
  return releasedAt ? `v${release}, ${timeText(releasedAt)}` : `v${release}`;
}

function appJson(app: AppSummary) {
  return {
    name: app.name,
    state: app.state,
    dynos: app.dynos,
    release: app.release ?? null,
    releasedAt: app.releasedAt?.toISOString() ?? null,
    createdAt: app.createdAt.toISOString(),
    url: app.url,
  };
}
