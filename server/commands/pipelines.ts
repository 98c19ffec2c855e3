import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { PIPELINE_STAGES, type PipelineStage, type PipelineView } from '../../deploy/platform/pipelines.ts';
import type { Argument, Command } from './command.ts';
import { textTable } from './text-table.ts';

const PIPELINE: Argument = { name: 'PIPELINE', summary: 'its name, e.g. blog', required: true };

const list: Command = {
  name: 'pipelines',
  aliases: ['pipelines:list'],
  summary: 'List the pipelines, with the apps and releases of their stages',
  examples: ['pipelines', 'pipelines --json'],
  access: 'look',
  json: true,
  async run({ platform, out, json }) {
    const pipelines = platform.pipelines.list();
    if (json) return out.json(pipelines);
    if (pipelines.length === 0) return out.note('There are no pipelines: pipelines:add makes one.');
    out.lines(textTable(['PIPELINE', 'STAGE', 'APP', 'RELEASE'], pipelines.flatMap(rows)));
  },
};

const add: Command = {
  name: 'pipelines:add',
  aliases: ['pipelines:create'],
  summary: 'Put an app into a pipeline; the first one makes it',
  details: [`Stages are, in this order: ${PIPELINE_STAGES.join(', ')}.`],
  app: 'required',
  args: [PIPELINE],
  flags: [{ name: 'stage', short: 's', value: 'STAGE', summary: PIPELINE_STAGES.join(', ') }],
  examples: [
    'pipelines:add blog --stage staging -a blog-staging',
    'pipelines:add blog -s production -a blog',
  ],
  access: 'change',
  async run({ platform, caller, app, args, out, flag }) {
    const stage = parseStage(flag('stage'));
    platform.pipelines.add(args[0]!, app, stage, caller.user);
    out.note(`Added ${app} to ${args[0]} as ${stage}.`);
  },
};

const remove: Command = {
  name: 'pipelines:remove',
  summary: 'Take an app out of its pipeline; the last one ends it',
  app: 'required',
  examples: ['pipelines:remove -a blog-staging'],
  access: 'change',
  async run({ platform, caller, app, out }) {
    platform.pipelines.remove(app, caller.user);
    out.note(`${app} is in no pipeline any more.`);
  },
};

const promote: Command = {
  name: 'pipelines:promote',
  aliases: ['promote'],
  summary: 'Release the code of an app on the apps of the next stage',
  details: [
    'The same image with the config of the target, a release of its own there: no build, and a rollback like any other.',
  ],
  app: 'required',
  flags: [
    { name: 'to', short: 't', value: 'APPS', summary: 'only on these, e.g. blog,blog-eu; all without it' },
  ],
  examples: ['pipelines:promote -a blog-staging', 'promote -a blog-staging --to blog'],
  access: 'change',
  interrupted: 'Targets that have the new code keep it: `releases -a APP` shows them.',
  async run({ platform, caller, app, out, flag, signal }) {
    const targets = flag('to')?.split(',') ?? platform.pipelines.targets(app);
    if (targets.length === 0)
      throw new PaasError('conflict', `No app is in the stage after ${app}'s: pipelines:add puts one there.`);
    const write = (text: string) => out.note(text.replace(/\n$/, ''));
    for (const to of targets) {
      await out.action(
        `Promoting ${app} to ${to}`,
        () => platform.pipelines.promote(app, { to, user: caller.user, write, signal }),
        () => `done, v${platform.releases.info(to, undefined).version}`,
      );
    }
  },
};

export const pipelinesCommands: Command[] = [list, add, remove, promote];

function rows({ name, stages }: PipelineView): string[][] {
  return stages.flatMap(({ stage, apps }) =>
    apps.map(({ app, release }) => [name, stage, app, release === undefined ? '-' : `v${release}`]),
  );
}

function parseStage(text: string | undefined): PipelineStage {
  const stage = PIPELINE_STAGES.find((known) => known === text);
  if (stage) return stage;
  const said = text === undefined ? 'Which stage? Say' : `${quote(text)} is no stage: it is`;
  throw new PaasError('invalid', `${said} --stage ${PIPELINE_STAGES.join(' or ')}.`);
}
