import { pipeline } from 'node:stream/promises';
import type { RunOptions, RunSession, RunView } from '../../deploy/platform/runs.ts';
import type { Argument, Command, CommandContext } from './command.ts';
import { parseDuration } from './duration.ts';
import { LOG_FLAGS, printLog } from './logs.ts';
import { quoteWord } from './shell-words.ts';
import { textTable } from './text-table.ts';
import { timeText } from './time-text.ts';

const COMMAND: Argument = {
  name: 'COMMAND',
  summary: 'the command with its arguments; flags after it are its own',
  required: true,
  repeated: true,
  verbatim: true,
};

const run: Command = {
  name: 'run',
  aliases: ['run:inside'],
  summary: 'Run a command in a one-off dyno',
  details: [
    'The dyno has the code and config of the current release, and its file system is thrown away at the end.',
    'One argument goes to a shell in the dyno as it is (`run "env | sort"`); several are a program and its arguments.',
    'A process type of the Procfile runs its command. The exit status is that of the command.',
    'For a terminal through plain ssh: ssh -t paas@HOST run -a blog bash.',
  ],
  app: 'required',
  args: [COMMAND],
  examples: ['run -a blog npm run migrate', 'run blog bash', 'run -a blog -- node -e "console.log(1)"'],
  access: 'change',
  stdin: () => true,
  terminal: true,
  async run(context) {
    const { signal } = context;
    const session = await context.platform.runs.start(context.app, runOptions(context));
    const hangUp = () => session.hangUp();
    if (signal.aborted) hangUp();
    signal.addEventListener('abort', hangUp, { once: true });
    const status = await attach(session, context);
    signal.removeEventListener('abort', hangUp);
    return status;
  },
};

const detached: Command = {
  name: 'run:detached',
  summary: 'Run a command in a one-off dyno in the background',
  details: [
    "Its output goes to the app's log: logs -d DYNO. The platform's own restarts leave it alone; --timeout ends it.",
  ],
  app: 'required',
  args: [COMMAND],
  flags: [{ name: 'timeout', value: 'TIME', summary: 'stop it after this time, e.g. 90s, 30m or 2h' }],
  examples: ['run:detached -a blog npm run import', 'run:detached --timeout 30m -a blog ./backup.sh'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json, flag }) {
    const timeout = flag('timeout');
    const dyno = await out.action(
      `Running ${joinCommand(args)} on ${app}`,
      () =>
        platform.runs.detach(app, {
          command: joinCommand(args),
          user: caller.user,
          ...(timeout !== undefined && { timeLimit: parseDuration(timeout) }),
        }),
      ({ name }) => `up, ${name}`,
    );
    if (json) return out.json(runJson(dyno));
    out.note(`Follow it with: paas logs -t -d ${dyno.name} -a ${app}`);
  },
};

const list: Command = {
  name: 'run:list',
  summary: 'List the one-off dynos that run',
  app: 'required',
  examples: ['run:list -a blog', 'run:list blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const dynos = platform.runs.list(app);
    if (json) return out.json(dynos.map(runJson));
    if (dynos.length === 0) return out.note(`No one-off dyno of ${app} runs.`);
    const rows = dynos.map(({ name, user, since, command }) => [name, user, timeText(since), command]);
    out.lines(textTable(['DYNO', 'USER', 'STARTED', 'COMMAND'], rows));
  },
};

const log: Command = {
  name: 'run:logs',
  summary: 'Print what one-off dynos in the background said',
  details: ['Without a dyno: what all of them said. It stays in the log of the app when they have ended.'],
  app: 'required',
  args: [{ name: 'DYNO', summary: 'e.g. run.4711' }],
  flags: LOG_FLAGS,
  examples: ['run:logs -a blog', 'run:logs run.4711 -t -a blog'],
  access: 'look',
  json: true,
  run: (context) =>
    printLog(context, context.args[0] === undefined ? { type: 'run' } : { dyno: context.args[0] }),
};

const stop: Command = {
  name: 'run:stop',
  summary: 'Stop a one-off dyno',
  app: 'required',
  args: [{ name: 'DYNO', summary: 'e.g. run.4711', required: true }],
  examples: ['run:stop run.4711 -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    const dyno = args[0]!;
    await out.action(
      `Stopping ${dyno} of ${app}`,
      () => platform.runs.stop(app, dyno, caller.user),
      () => 'done',
    );
  },
};

export const runCommands: Command[] = [run, detached, list, log, stop];

function runJson({ name, command, user, release, since }: RunView) {
  return { name, command, user, release, since: since.toISOString() };
}

/**
 * One word is shell text; of several, those that a shell would take apart are quoted (as `heroku run` does), so that
 * both `run "env | sort"` and `run sh -c "exit 3"` do what they say.
 */
export function joinCommand(words: string[]): string {
  if (words.length === 1) return words[0]!;
  return words.map((word) => (word === '' || /[\s'"\\]/.test(word) ? quoteWord(word) : word)).join(' ');
}

function runOptions({ args, caller, terminal }: CommandContext): RunOptions {
  const options: RunOptions = { command: joinCommand(args), user: caller.user };
  if (terminal) options.terminal = { ...terminal.size, term: terminal.term };
  return options;
}

async function attach(session: RunSession, context: CommandContext): Promise<number> {
  const { stdin, out, terminal, onSignal } = context;
  terminal?.onResize((size) => session.resize(size));
  onSignal((name) => session.signal(name));
  stdin.on('error', () => {});
  session.stdin.on('error', () => {}); // the command may end before it has read everything
  stdin.pipe(session.stdin);
  const outputs = Promise.allSettled([
    pipeline(session.stdout, out.stdout, { end: false }),
    pipeline(session.stderr, out.stderr, { end: false }),
  ]);
  const status = await session.exited;
  stdin.unpipe(session.stdin);
  await outputs;
  return status;
}
