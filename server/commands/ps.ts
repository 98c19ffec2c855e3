import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { mappingText, type PortMapping } from '../../deploy/model/port-mapping.ts';
import { spanText } from '../../deploy/model/span-text.ts';
import type { DynoView, ProcessTypeView, ScaleChange } from '../../deploy/platform.ts';
import type { Command } from './command.ts';
import { parseDuration } from './duration.ts';
import { timeText } from './time-text.ts';

const list: Command = {
  name: 'ps',
  aliases: ['ps:list', 'ps:report', 'dynos'],
  summary: 'List the dynos of an app',
  app: 'required',
  examples: ['ps -a blog', 'ps blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const dynos = platform.dynos.list(app);
    const formation = platform.dynos.formation(app);
    if (json) return out.json(dynos.map(dynoJson));
    if (formation.length === 0) return out.note(`${app} has no code yet: \`git push\` deploys some.`);
    out.lines(dynoLines(formation, dynos));
  },
};

const scale: Command = {
  name: 'ps:scale',
  aliases: ['scale'],
  summary: 'Set how many dynos run; without arguments, show it',
  app: 'required',
  args: [{ name: 'TYPE=QUANTITY', summary: 'e.g. web=3, worker+1, web-1', repeated: true }],
  examples: ['ps:scale web=3 worker+1 -a blog', 'ps:scale blog web=0', 'scale web-1 -a blog'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json }) {
    const changes = args.map(parseScaleChange);
    const formation =
      changes.length === 0
        ? platform.dynos.formation(app)
        : await out.action(
            'Scaling dynos',
            () => platform.dynos.scale(app, changes, caller.user),
            (scaled) => `done, now running ${formationText(concerned(scaled, changes))}`,
          );
    if (json) return out.json(formation);
    if (changes.length === 0)
      out.line(formation.map(({ type, quantity }) => `${type}=${quantity}`).join(' '));
  },
};

const restart: Command = {
  name: 'ps:restart',
  aliases: ['restart'],
  summary: 'Restart all dynos, those of one type, or one',
  app: 'required',
  args: [{ name: 'TYPE|DYNO', summary: 'e.g. web or web.1; all without it' }],
  examples: ['ps:restart -a blog', 'ps:restart web -a blog', 'ps:restart blog worker.2'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    const [target] = args;
    if (target !== undefined && !/^[A-Za-z0-9_-]{1,63}(\.\d{1,6})?$/.test(target)) {
      throw new PaasError('invalid', `${quote(target)} is neither a process type (web) nor a dyno (web.1).`);
    }
    await out.action(
      `Restarting ${target ?? 'all dynos'} of ${app}`,
      () => platform.dynos.restart(app, target, caller.user),
      () => 'done',
    );
  },
};

const idle: Command = {
  name: 'ps:idle',
  aliases: ['idle'],
  summary: 'Let the web dynos go when nobody visits; without arguments, show it',
  details: [
    'After the given time without a request the web dynos stop. The next request is held while they start again, and the',
    'visitor waits for no more than the boot of the app. Workers and other types run on, and so do web dynos to which a TCP or UDP port',
    'leads (`ports`), as only requests can wake them. `off`: always on.',
  ],
  app: 'required',
  args: [
    { name: 'web', summary: 'only web dynos idle: it may be left out' },
    { name: 'TIME|off', summary: 'e.g. 15m or 2h; off' },
  ],
  examples: ['ps:idle web 15m -a blog', 'ps:idle 15m -a blog', 'ps:idle blog off', 'ps:idle -a blog'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json }) {
    const time = idleTime(args);
    if (time !== undefined) {
      const seconds = time === 'off' ? undefined : parseDuration(time);
      await out.action(
        `Setting the idling of ${app}`,
        () => platform.idle.set(app, seconds, caller.user),
        () => `done${seconds === undefined ? '' : unlessAwake(platform.idle.awakeFor(app))}`,
      );
    }
    const after = platform.idle.after(app) ?? null;
    const awakeFor = platform.idle.awakeFor(app);
    if (json) return out.json({ idleAfterSeconds: after, awakeFor: awakeFor.map(mappingText) });
    if (time === undefined)
      out.line(after === null ? 'off' : `after ${spanText(after)} without a request${unlessAwake(awakeFor)}`);
  },
};

/** Of `web 15m`, `15m` or `web`. Throws `invalid` for another type. */
function idleTime(args: string[]): string | undefined {
  if (args.length < 2) return args[0] === 'web' ? undefined : args[0];
  const [type, time] = args;
  if (type !== 'web')
    throw new PaasError(
      'invalid',
      `${quote(type!)} dynos cannot idle: only requests wake dynos, and those come to web.`,
    );
  return time;
}

function unlessAwake(ports: PortMapping[]): string {
  if (ports.length === 0) return '';
  const names = ports.map(({ protocol, port }) => `${protocol}:${port}`).join(' and ');
  return `, but not while ${names} ${ports.length === 1 ? 'leads' : 'lead'} to the web dynos: only requests can wake them`;
}

export const psCommands: Command[] = [list, scale, restart, idle];

/** `web=3`, `worker+1`, `web-1`. Throws `invalid`. */
export function parseScaleChange(text: string): ScaleChange {
  const match = /^([A-Za-z0-9_-]{1,63}?)([=+-])(\d{1,4})$/.exec(text);
  if (!match) {
    throw new PaasError(
      'invalid',
      `${quote(text)} says no scale: it should look like web=3, worker+1 or web-1, with whole numbers from 0 to 100.`,
    );
  }
  return { type: match[1]!, operator: match[2] as ScaleChange['operator'], quantity: Number(match[3]) };
}

/** `web at 3, worker at 1` */
export function formationText(formation: ProcessTypeView[]): string {
  return formation.map(({ type, quantity }) => `${type} at ${quantity}`).join(', ');
}

/** In the order in which the user named them. */
function concerned(formation: ProcessTypeView[], changes: ScaleChange[]): ProcessTypeView[] {
  const types = [...new Set(changes.map(({ type }) => type))];
  return types.flatMap((type) => formation.filter((process) => process.type === type));
}

/** `=== web: npm start (3)` and its dynos, type by type. */
export function dynoLines(formation: ProcessTypeView[], dynos: DynoView[], now = new Date()): string[] {
  const lines: string[] = [];
  for (const { type, command, quantity } of formation) {
    const own = dynos.filter((dyno) => dyno.type === type);
    if (quantity === 0 && own.length === 0) continue;
    if (lines.length > 0) lines.push('');
    lines.push(`=== ${type}: ${command} (${quantity})`, ...own.map((dyno) => dynoLine(dyno, now)));
  }
  const others = dynos.filter((dyno) => !formation.some(({ type }) => type === dyno.type));
  if (others.length > 0) {
    if (lines.length > 0) lines.push('');
    lines.push('=== one-off', ...others.map((dyno) => dynoLine(dyno, now)));
  }
  return lines;
}

function dynoLine(dyno: DynoView, now: Date): string {
  const why = dyno.reason === undefined ? '' : `: ${dyno.reason}`;
  return `${dyno.name}: ${dyno.state} ${timeText(dyno.since, now)}${why}${nextStart(dyno, now)}`;
}

/** `; crash 7 in a row, next start in 20 s` */
function nextStart({ backoff }: DynoView, now: Date): string {
  if (!backoff) return '';
  const seconds = Math.max(0, Math.ceil((backoff.next.getTime() - now.getTime()) / 1000));
  return `; crash ${backoff.crashes} in a row, next start in ${seconds} s`;
}

function dynoJson(dyno: DynoView) {
  return {
    name: dyno.name,
    type: dyno.type,
    state: dyno.state,
    since: dyno.since.toISOString(),
    command: dyno.command,
    release: dyno.release,
    reason: dyno.reason ?? null,
    crashes: dyno.backoff?.crashes ?? 0,
    restartsAt: dyno.backoff?.next.toISOString() ?? null,
  };
}
