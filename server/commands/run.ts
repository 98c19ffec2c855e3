import { pipeline } from 'node:stream/promises';
import type { RunOptions, RunSession } from '../../deploy/platform.ts';
import type { Command, CommandContext } from './command.ts';
import { quoteWord } from './shell-words.ts';

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
  args: [
    {
      name: 'COMMAND',
      summary: 'and its arguments; flags after it are its own',
      required: true,
      repeated: true,
      verbatim: true,
    },
  ],
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

export const runCommands: Command[] = [run];

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
