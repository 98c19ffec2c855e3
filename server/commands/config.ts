import { quote } from '../../deploy/model/app-name.ts';
import { checkConfigVars } from '../../deploy/model/config-vars.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { ReleaseView } from '../../deploy/platform.ts';
import { readInput } from './client-input.ts';
import type { Command, CommandContext } from './command.ts';
import { parseEnvFile } from './env-file.ts';
import { quoteWord } from './shell-words.ts';
import { fieldList } from './text-table.ts';

const list: Command = {
  name: 'config',
  aliases: ['config:show', 'config:list', 'config:export'],
  summary: 'List the config vars of an app',
  app: 'required',
  flags: [{ name: 'shell', short: 's', summary: 'as NAME=VALUE, quoted for a shell and for config:import' }],
  examples: ['config -a blog', 'config blog --json', 'config -s -a blog > .env'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json, flag }) {
    const vars = platform.config.all(app);
    if (json) return out.json(vars);
    if (flag('shell') !== undefined) return out.write(shellLines(vars));
    out.line(`=== ${app} Config Vars`);
    out.lines(fieldList(vars));
  },
};

const get: Command = {
  name: 'config:get',
  summary: 'Print the value of one config var, exactly',
  app: 'required',
  args: [{ name: 'NAME', summary: 'the name of the config var', required: true }],
  examples: ['config:get DATABASE_URL -a blog', 'config:get blog DATABASE_URL'],
  access: 'look',
  json: true,
  async run({ platform, app, args, out, json }) {
    const name = args[0]!;
    const vars = platform.config.all(app);
    if (!Object.hasOwn(vars, name))
      throw new PaasError('not_found', `${app} has no config var ${quote(name)}.`);
    if (json) return out.json({ [name]: vars[name]! });
    await out.write(`${vars[name]}\n`);
  },
};

const set: Command = {
  name: 'config:set',
  summary: 'Set config vars and restart the app with them',
  details: [
    'NAME=- reads the value from standard input (less one newline at its end), so that it stands in no shell history.',
    'Through plain ssh a value with spaces needs quotes twice: ssh paas@HOST "config:set A=\'x y\' -a blog".',
  ],
  app: 'required',
  args: [
    { name: 'NAME=VALUE', summary: 'the value may hold anything but NUL', required: true, repeated: true },
  ],
  examples: [
    'config:set NODE_ENV=production LOG_LEVEL=info -a blog',
    'config:set blog NODE_ENV=production',
    'config:set TLS_KEY=- -a blog < key.pem',
  ],
  access: 'change',
  json: true,
  stdin: (args) => args.some((arg) => /^[A-Za-z_]\w*=-$/.test(arg)),
  async run(context) {
    const assignments = context.args.map(parseAssignment);
    const fromInput = assignments.filter(([, value]) => value === '-').map(([name]) => name);
    if (fromInput.length > 1)
      throw new PaasError('invalid', 'Only one config var can be read from standard input.');
    const input = fromInput.length === 1 ? (await readInput(context)).replace(/\r?\n$/, '') : undefined;
    const vars = Object.fromEntries(
      assignments.map(([name, value]) => [name, value === '-' ? input! : value]),
    );
    await setVars(context, { vars, hidden: new Set(fromInput) });
  },
};

const importVars: Command = {
  name: 'config:import',
  summary: 'Set config vars from a .env file on standard input',
  app: 'required',
  examples: ['config:import -a blog < .env'],
  access: 'change',
  json: true,
  stdin: () => true,
  async run(context) {
    const vars = parseEnvFile(await readInput(context));
    const names = Object.keys(vars);
    if (names.length === 0)
      throw new PaasError('invalid', 'Standard input sets no config var: nothing was changed.');
    await setVars(context, { vars, hidden: new Set(names) });
  },
};

const unset: Command = {
  name: 'config:unset',
  aliases: ['config:remove'],
  summary: 'Remove config vars and restart the app without them',
  app: 'required',
  args: [{ name: 'NAME', summary: 'the name of a config var', required: true, repeated: true }],
  examples: ['config:unset LOG_LEVEL -a blog', 'config:unset blog LOG_LEVEL'],
  access: 'change',
  json: true,
  async run(context) {
    const { platform, caller, app, args, out, json } = context;
    const names = [...new Set(args)];
    const vars = platform.config.all(app);
    const missing = names.find((name) => !Object.hasOwn(vars, name));
    if (missing !== undefined) {
      throw new PaasError('not_found', `${app} has no config var ${quote(missing)}: nothing was changed.`);
    }
    const release = await out.action(
      `Unsetting ${names.join(', ')}${restartText(context)}`,
      () => platform.config.unset(app, names, caller.user),
      doneText,
    );
    if (json) await out.json({ app, unset: names, release: release?.version ?? null });
  },
};

export const configCommands: Command[] = [list, get, set, importVars, unset];

/** `NAME=VALUE`, split at the first `=`. Throws `invalid`. */
export function parseAssignment(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) {
    throw new PaasError(
      'invalid',
      `${quote(text)} sets nothing: it should look like NAME=VALUE. A value with spaces needs quotes; through plain ` +
        `ssh, twice: "config:set NAME='x y'". Nothing was changed.`,
    );
  }
  return [text.slice(0, equals), text.slice(equals + 1)];
}

async function setVars(
  context: CommandContext,
  { vars, hidden }: { vars: Record<string, string>; hidden: Set<string> },
): Promise<void> {
  const { platform, caller, app, out, json } = context;
  checkConfigVars(vars);
  const release = await out.action(
    `Setting ${Object.keys(vars).join(', ')}${restartText(context)}`,
    () => platform.config.set(app, vars, caller.user),
    doneText,
  );
  const shown = Object.entries(vars).map(([name, value]) => [
    name,
    hidden.has(name) ? hiddenText(value) : value,
  ]);
  if (json) await out.json({ app, set: Object.keys(vars), release: release?.version ?? null });
  else out.lines(fieldList(Object.fromEntries(shown)));
}

/** What came through standard input was kept out of sight on purpose. */
function hiddenText(value: string): string {
  return `(${Buffer.byteLength(value)} bytes, not shown)`;
}

function restartText({ platform, app }: CommandContext): string {
  return platform.apps.find(app).release === undefined ? '' : ' and restarting app';
}

function doneText(release: ReleaseView | undefined): string {
  return release ? `done, v${release.version}` : 'done';
}

function shellLines(vars: Record<string, string>): string {
  return Object.entries(vars)
    .map(([name, value]) => `${name}=${quoteWord(value)}\n`)
    .join('');
}
