import { quote } from '../../deploy/model/app-name.ts';
import type { DynoLimits } from '../../deploy/model/dyno-limits.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { LimitsView } from '../../deploy/platform.ts';
import type { Argument, Command } from './command.ts';
import { textTable } from './text-table.ts';

const TYPE: Argument = {
  name: 'TYPE',
  summary: 'a process type, e.g. web, or `run` for one-off dynos',
  required: true,
};

const list: Command = {
  name: 'limits',
  aliases: ['limits:list', 'resource:report'],
  summary: 'Show how much memory and CPU the dynos of an app may have',
  app: 'required',
  examples: ['limits -a blog', 'limits blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const limits = platform.limits.list(app);
    if (json) return out.json(limits.map(limitsJson));
    out.lines(textTable(['TYPE', 'MEMORY', 'CPU'], limits.map(limitsRow)));
  },
};

const set: Command = {
  name: 'limits:set',
  aliases: ['resource:limit'],
  summary: 'Set how much memory and CPU each dyno of a type may have',
  details: ['Dynos that run get the new limits at once, without a restart.'],
  app: 'required',
  args: [TYPE],
  flags: [
    { name: 'memory', short: 'm', value: 'SIZE', summary: 'e.g. 512m or 2g; a bare number is megabytes' },
    { name: 'cpu', value: 'CORES', summary: 'e.g. 0.5 or 2' },
  ],
  examples: ['limits:set web --memory 512m -a blog', 'limits:set blog worker --memory 2g --cpu 0.5'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json, flag }) {
    const type = args[0]!;
    const change = parseLimits(flag('memory'), flag('cpu'));
    const limits = await out.action(
      `Setting the limits of ${type} of ${app}`,
      () => platform.limits.set(app, type, change, caller.user),
      (now) => `done, ${limitsText(now, type)}`,
    );
    if (json) await out.json(limits.map(limitsJson));
  },
};

const clear: Command = {
  name: 'limits:clear',
  aliases: ['limits:unset', 'resource:limit-clear'],
  summary: 'Give the dynos of a type the default limits again',
  app: 'required',
  args: [TYPE],
  examples: ['limits:clear worker -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    const type = args[0]!;
    await out.action(
      `Clearing the limits of ${type} of ${app}`,
      () => platform.limits.clear(app, type, caller.user),
      (now) => `done, ${limitsText(now, type)}`,
    );
  },
};

export const limitsCommands: Command[] = [list, set, clear];

/** Throws `invalid`. */
export function parseLimits(memory: string | undefined, cpu: string | undefined): DynoLimits {
  if (memory === undefined && cpu === undefined)
    throw new PaasError('invalid', 'Nothing to set. Usage: limits:set TYPE --memory 512m --cpu 0.5');
  return {
    ...(memory !== undefined && { memory: parseSize(memory) }),
    ...(cpu !== undefined && { cpu: parseCores(cpu) }),
  };
}

/** Bytes. A bare number is megabytes, as in Dokku. */
function parseSize(text: string): number {
  const match = /^(\d{1,7})(?:([mg])b?)?$/i.exec(text);
  if (!match) throw new PaasError('invalid', `${quote(text)} is no size: it should look like 512m or 2g.`);
  return Number(match[1]) * 1024 ** (match[2]?.toLowerCase() === 'g' ? 3 : 2);
}

function parseCores(text: string): number {
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(text))
    throw new PaasError('invalid', `${quote(text)} is no number of cores: it should look like 0.5 or 2.`);
  return Number(text);
}

function limitsRow({ type, memory, cpu }: LimitsView): string[] {
  return [type, sizeText(memory), cpu === undefined ? 'all' : String(cpu)];
}

function limitsText(limits: LimitsView[], type: string): string {
  const own = limits.find((view) => view.type === type);
  if (!own) return 'none';
  return `${sizeText(own.memory)} of memory, ${own.cpu === undefined ? 'all' : own.cpu} CPU`;
}

/** `512m`, `2g` */
function sizeText(bytes: number): string {
  const megabytes = Math.round(bytes / 1024 ** 2);
  return megabytes % 1024 === 0 ? `${megabytes / 1024}g` : `${megabytes}m`;
}

function limitsJson({ type, memory, cpu }: LimitsView) {
  return { type, memory, cpu: cpu ?? null };
}
