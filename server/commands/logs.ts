import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { unknownType } from '../../deploy/model/unknown-type.ts';
import type { LogLine, LogQuery, Platform } from '../../deploy/platform.ts';
import type { Command, CommandContext, Flag } from './command.ts';
import { EXIT } from './exit-status.ts';
import { parseCount } from './releases.ts';
import { filterLine } from './terminal-text.ts';

export const LOG_FLAGS: Flag[] = [
  {
    name: 'num',
    short: 'n',
    aliases: ['lines'],
    value: 'N',
    summary: 'how many of the last lines; 100 without it',
  },
  { name: 'tail', short: 't', aliases: ['follow'], summary: 'go on with new lines as they come' },
];

const logs: Command = {
  name: 'logs',
  summary: 'Print the log of an app, and follow it',
  app: 'required',
  flags: [
    ...LOG_FLAGS,
    {
      name: 'ps',
      short: 'p',
      aliases: ['process-type'],
      value: 'TYPE',
      summary: 'only of this process type, e.g. web',
    },
    {
      name: 'dyno',
      short: 'd',
      aliases: ['dyno-name'],
      value: 'DYNO',
      summary: 'only of this dyno, e.g. web.1',
    },
    { name: 'source', short: 's', value: 'SOURCE', summary: 'only of this source: app or paas' },
  ],
  details: [
    'With --json: one object a line. Without it colours are kept, other control sequences are shown as text.',
  ],
  examples: ['logs -t -a blog', 'logs blog -n 500 -p worker', 'logs -s paas -d router -a blog --json'],
  access: 'look',
  json: true,
  run(context) {
    const [type, dyno, source] = ['ps', 'dyno', 'source'].map(context.flag);
    if (source !== undefined && !['app', 'paas'].includes(source))
      throw new PaasError('invalid', `${quote(source)} is no source of lines: there are app and paas.`);
    return printLog(context, {
      ...(type !== undefined && { type }),
      ...(dyno !== undefined && { dyno }),
      ...(source !== undefined && { source }),
    });
  },
};

/** The lines that the query means, by the flags `num` and `tail`. */
export async function printLog(
  { platform, app, out, json, flag, signal }: CommandContext,
  which: Pick<LogQuery, 'type' | 'dyno' | 'source'>,
): Promise<number> {
  const asked = which.dyno ?? which.type;
  if (flag('tail') !== undefined && asked !== undefined) await refuseUnheardOf(platform, { app, asked });
  const query = { lines: parseCount(flag('num') ?? '100'), follow: flag('tail') !== undefined, signal };
  let isEmpty = true;
  for await (const line of platform.logs.read(app, { ...query, ...which })) {
    isEmpty = false;
    await (json ? out.json(line) : out.write(logText(line)));
    if (signal.aborted) return EXIT.interrupted;
  }
  if (isEmpty && asked !== undefined && !json)
    out.note(`No line in the log of ${app} is of ${quote(asked)}. \`paas ps -a ${app}\` lists its dynos.`);
  return EXIT.done;
}

/** Types of dynos, and other speakers, that no Procfile names. */
const SPEAKERS = ['run', 'cron', 'release', 'predeploy', 'postdeploy', 'canary', 'router', 'api', 'certs'];

/** Whoever follows what never comes would wait for ever. What has said something may do so again, or is worth reading. */
async function refuseUnheardOf(
  platform: Platform,
  { app, asked }: { app: string; asked: string },
): Promise<void> {
  const types = platform.dynos.formation(app).map(({ type }) => type);
  const [type, number] = asked.split('.', 2);
  // A one-off dyno's number is nobody's to foresee: one that is not known does not come.
  const isOneOff = number !== undefined && ['run', 'cron'].includes(type!);
  if (SPEAKERS.includes(type!) && !isOneOff) return;
  // Before the first push nobody knows what types there will be.
  if (types.length === 0 && !isOneOff) return;
  if (number === undefined && types.includes(asked)) return;
  const dynos = platform.dynos.list(app).map(({ name }) => name);
  if (dynos.includes(asked)) return;
  for (const which of [{ type: asked }, { dyno: asked }]) {
    for await (const _ of platform.logs.read(app, { ...which, lines: 1 })) return;
  }
  if (number === undefined || !(isOneOff || types.includes(type!))) throw unknownType(type!, types);
  throw new PaasError(
    'not_found',
    `${app} has no dyno ${quote(asked)}, nor are there lines of one. \`paas ps -a ${app}\` lists those there are.`,
  );
}

export const logsCommands: Command[] = [logs];

/** `2026-08-10T05:52:56.417000+00:00 app[web.1]: text`, safe for a terminal. */
export function logText({ at, source, dyno, text }: LogLine): string {
  return `${at.toISOString().replace('Z', '000+00:00')} ${source}[${dyno}]: ${filterLine(text)}\n`;
}
