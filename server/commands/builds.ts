import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { BuildView, Platform, WaitingPush } from '../../deploy/platform.ts';
import type { Argument, Command, CommandContext } from './command.ts';
import { EXIT } from './exit-status.ts';
import { parseCount } from './releases.ts';
import { TerminalFilter } from './terminal-text.ts';
import { fieldList, textTable } from './text-table.ts';
import { durationText, timeText } from './time-text.ts';

const BUILD: Argument = { name: 'BUILD', summary: "a build's number, e.g. 12; without it, the app's newest" };

const list: Command = {
  name: 'builds',
  aliases: ['builds:list'],
  summary: 'List the builds of an app, or of all, newest first',
  app: 'optional',
  flags: [{ name: 'num', short: 'n', value: 'N', summary: 'how many; 15 without it' }],
  examples: ['builds', 'builds -a blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json, flag }) {
    const builds = platform.builds.list(app || undefined).slice(0, parseCount(flag('num') ?? '15'));
    if (json) return out.json(builds.map(buildJson));
    for (const push of platform.pushes.waiting(app || undefined)) out.note(waitingText(push));
    if (builds.length === 0) return out.note('There are no builds yet: `git push` starts one.');
    out.lines(
      textTable(['BUILD', 'APP', 'STATE', 'COMMIT', 'USER', 'STARTED', 'TOOK'], builds.map(buildRow)),
    );
  },
};

const info: Command = {
  name: 'builds:info',
  summary: 'Show one build with the time that each stage took',
  app: 'optional',
  args: [BUILD],
  examples: ['builds:info 12', 'builds:info -a blog'],
  access: 'look',
  json: true,
  async run(context) {
    const { out, json } = context;
    const build = findBuild(context);
    if (json) return out.json(buildJson(build));
    out.line(`=== Build ${build.id} of ${build.app}`);
    out.lines(fieldList(buildFields(build)));
    const reason = build.reason?.split('\n') ?? [];
    if (reason.length > 1) {
      out.line();
      out.line('=== Reason');
      out.lines(reason);
    }
    if (build.stages.length === 0) return;
    const stages = build.stages.map(({ name, milliseconds }) => [name, durationText(milliseconds)]);
    out.line();
    out.lines(textTable(['STAGE', 'TOOK'], stages));
  },
};

const output: Command = {
  name: 'builds:output',
  aliases: ['builds:log'],
  summary: 'Print what a build said, as the pusher saw it',
  app: 'optional',
  args: [BUILD],
  flags: [
    { name: 'follow', short: 'f', aliases: ['tail'], summary: 'until the build ends; status 1 if it fails' },
  ],
  examples: ['builds:output 12', 'builds:output -f -a blog'],
  access: 'look',
  interrupted: 'A build that runs goes on: `builds:output -f` shows it again, `builds:cancel` ends it.',
  async run(context) {
    const { platform, out, signal, flag } = context;
    const build = findBuild(context);
    const follow = flag('follow') !== undefined;
    const filter = new TerminalFilter();
    for await (const chunk of platform.builds.output(build.id, { follow, signal })) {
      await out.write(filter.write(chunk));
      if (signal.aborted) return EXIT.interrupted;
    }
    await out.write(filter.end());
    return follow && !hasSucceeded(platform, build.id) ? EXIT.failed : EXIT.done;
  },
};

const cancel: Command = {
  name: 'builds:cancel',
  summary: 'Stop a build that waits or runs',
  app: 'optional',
  args: [BUILD],
  examples: ['builds:cancel 12', 'builds:cancel -a blog'],
  access: 'change',
  async run(context) {
    const { platform, caller, out } = context;
    const build = findBuild(context);
    await out.action(
      `Cancelling build ${build.id} of ${build.app}`,
      () => platform.builds.cancel(build.id, caller.user),
      () => 'done',
    );
  },
};

export const buildsCommands: Command[] = [list, info, output, cancel];

/** By number, or the app's newest. Throws `invalid` and `not_found`. */
function findBuild({ platform, app, args }: CommandContext): BuildView {
  const [text] = args;
  if (text === undefined) return newestBuild(platform, app);
  const match = /^#?([1-9]\d{0,8})$/.exec(text);
  if (!match) throw new PaasError('invalid', `${quote(text)} is no build: it should be a number, e.g. 12.`);
  const build = platform.builds.find(Number(match[1]));
  if (app !== '' && build.app !== app) {
    throw new PaasError('not_found', `Build ${build.id} is not of ${app}: it is of ${build.app}.`);
  }
  return build;
}

function newestBuild(platform: Platform, app: string): BuildView {
  if (app === '')
    throw new PaasError('invalid', 'Which build? Give its number, or the app with -a APP for its newest.');
  const [newest] = platform.builds.list(app);
  if (!newest) throw new PaasError('not_found', `${app} has no builds yet: \`git push\` starts one.`);
  return newest;
}

function hasSucceeded(platform: Platform, id: number): boolean {
  return platform.builds.find(id).state === 'succeeded';
}

function buildRow(build: BuildView): string[] {
  return [
    String(build.id),
    build.app,
    stateText(build),
    build.commit.slice(0, 8),
    build.user,
    timeText(build.createdAt),
    tookText(build),
  ];
}

function waitingText({ app, user, branches, since }: WaitingPush): string {
  return `A push of ${branches.join(', ')} to ${app} by ${user} waits for the one before it, since ${timeText(since)}.`;
}

function stateText({ state, ahead }: BuildView): string {
  return ahead ? `${state} (${ahead} ahead)` : state;
}

function tookText({ createdAt, finishedAt }: BuildView): string {
  return finishedAt ? durationText(finishedAt.getTime() - createdAt.getTime()) : '-';
}

function buildFields(build: BuildView): Record<string, string> {
  return {
    State: build.reason === undefined ? stateText(build) : `${build.state}: ${build.reason.split('\n')[0]}`,
    Commit: build.commit,
    User: build.user,
    Started: timeText(build.createdAt),
    Took: tookText(build),
    Release: build.release === undefined ? 'none' : `v${build.release}`,
  };
}

function buildJson(build: BuildView) {
  return {
    id: build.id,
    app: build.app,
    state: build.state,
    commit: build.commit,
    user: build.user,
    createdAt: build.createdAt.toISOString(),
    finishedAt: build.finishedAt?.toISOString() ?? null,
    reason: build.reason ?? null,
    release: build.release ?? null,
    ahead: build.ahead ?? null,
    stages: build.stages,
  };
}
