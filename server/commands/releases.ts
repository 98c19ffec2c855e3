import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { ReleaseView } from '../../deploy/platform.ts';
import type { Argument, Command } from './command.ts';
import { TerminalFilter } from './terminal-text.ts';
import { fieldList, textTable } from './text-table.ts';
import { timeText } from './time-text.ts';

const list: Command = {
  name: 'releases',
  aliases: ['releases:list'],
  summary: 'List the releases of an app, newest first',
  app: 'required',
  flags: [{ name: 'num', short: 'n', value: 'N', summary: 'how many; 15 without it' }],
  examples: ['releases -a blog', 'releases blog -n 50 --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json, flag }) {
    const releases = platform.releases.list(app).slice(0, parseCount(flag('num') ?? '15'));
    if (json) return out.json(releases.map(releaseJson));
    if (releases.length === 0) return out.note(`${app} has no releases yet: \`git push\` makes the first.`);
    const current = releases.find((release) => release.current);
    out.line(`=== ${app} Releases${current ? ` - Current: v${current.version}` : ''}`);
    out.lines(textTable(['RELEASE', 'DESCRIPTION', 'USER', 'CREATED'], releases.map(releaseRow)));
  },
};

const VERSION: Argument = { name: 'VERSION', summary: 'e.g. v40; the current one without it' };

const info: Command = {
  name: 'releases:info',
  summary: 'Show what a release holds: code, processes, config',
  app: 'required',
  args: [VERSION],
  examples: ['releases:info -a blog', 'releases:info blog v40 --json'],
  access: 'look',
  json: true,
  async run({ platform, app, args, out, json }) {
    const release = platform.releases.info(app, args[0] === undefined ? undefined : parseVersion(args[0]));
    const { image, processes, config } = release;
    if (json) return out.json({ ...releaseJson(release), image, processes, config });
    out.line(`=== Release v${release.version} of ${app}`);
    out.lines(
      fieldList({
        Change: release.description,
        By: release.user,
        When: timeText(release.createdAt),
        Status: statusText(release),
        Commit: release.commit ?? 'none',
        Build: release.buildId === undefined ? 'none' : String(release.buildId),
        Image: image,
      }),
    );
    out.line();
    out.line('=== Process types');
    out.lines(fieldList(processes));
    out.line();
    out.line(`=== v${release.version} Config Vars`);
    out.lines(fieldList(config));
  },
};

const output: Command = {
  name: 'releases:output',
  summary: "Print what a release's commands said",
  app: 'required',
  args: [VERSION],
  examples: ['releases:output -a blog', 'releases:output blog v40'],
  access: 'look',
  async run({ platform, app, args, out }) {
    const release = platform.releases.info(app, args[0] === undefined ? undefined : parseVersion(args[0]));
    if (release.output === '' && release.pending)
      return out.note(
        `v${release.version} is in progress: \`paas logs -t -a ${app}\` shows what its commands say.`,
      );
    if (release.output === '')
      return out.note(
        `v${release.version} had no commands (release, predeploy, postdeploy), or they said nothing.`,
      );
    const filter = new TerminalFilter();
    await out.write(filter.write(release.output) + filter.end());
  },
};

const rollback: Command = {
  name: 'releases:rollback',
  aliases: ['rollback'],
  summary: 'Go back to the code and config of an earlier release',
  details: ['Makes a new release. Without a version: the one before the current.'],
  app: 'required',
  args: [{ name: 'VERSION', summary: 'e.g. v40' }],
  examples: ['rollback v40 -a blog', 'releases:rollback blog v40', 'rollback -a blog'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json }) {
    const version = args[0] === undefined ? undefined : parseVersion(args[0]);
    const target = version ?? previousVersion(platform.releases.list(app));
    const label = target === undefined ? 'Rolling back app' : `Rolling back app to v${target}`;
    const release = await out.action(
      label,
      () => platform.releases.rollback(app, target, caller.user),
      (made) => `done, v${made.version}`,
    );
    if (json) await out.json(releaseJson(release));
  },
};

export const releasesCommands: Command[] = [list, info, output, rollback];

/** `v40` or `40`. Throws `invalid`. */
export function parseVersion(text: string): number {
  const match = /^v?([1-9]\d{0,8})$/.exec(text);
  if (!match) throw new PaasError('invalid', `${quote(text)} is no release: it should look like v40.`);
  return Number(match[1]);
}

/** A whole number from 1 to 100,000. Throws `invalid`. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d{1,6}$/.test(text) || count < 1 || count > 100_000) {
    throw new PaasError('invalid', `${quote(text)} is no number of lines: from 1 to 100000.`);
  }
  return count;
}

/** The release that served before the current one; undefined where there is none. */
function previousVersion(releases: ReleaseView[]): number | undefined {
  const current = releases.find((release) => release.current);
  return releases.find((release) => release.succeeded && current && release.version < current.version)
    ?.version;
}

function statusText(release: ReleaseView): string {
  if (release.current) return 'current';
  if (release.pending) return 'in progress: it does not serve yet';
  if (release.canary) return 'canary: some visitors get it';
  if (release.givenUp) return 'given up: some visitors got it as a canary';
  if (release.succeeded) return 'succeeded';
  return `failed: it never served${release.reason === undefined ? '' : `. ${release.reason}`}`;
}

function markOf({ pending, succeeded, canary, givenUp }: ReleaseView): string {
  if (pending) return ' (in progress)';
  if (canary) return ' (canary)';
  if (givenUp) return ' (given up)';
  return succeeded ? '' : ' (failed)';
}

function releaseRow(release: ReleaseView): string[] {
  return [
    `v${release.version}`,
    `${release.description}${markOf(release)}`,
    release.user,
    timeText(release.createdAt),
  ];
}

function releaseJson(release: ReleaseView) {
  return {
    version: release.version,
    description: release.description,
    user: release.user,
    createdAt: release.createdAt.toISOString(),
    commit: release.commit ?? null,
    build: release.buildId ?? null,
    current: release.current,
    pending: release.pending,
    succeeded: release.succeeded,
    canary: release.canary,
    givenUp: release.givenUp,
    reason: release.reason ?? null,
  };
}
