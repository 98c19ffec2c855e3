import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { spanText } from '../../deploy/model/span-text.ts';
import type { CheckView, WantedCheck } from '../../deploy/platform/checks.ts';
import type { Command } from './command.ts';
import { parseDuration } from './duration.ts';
import { EXIT } from './exit-status.ts';
import { textTable } from './text-table.ts';

const NONE =
  'has no health checks: a web dyno is up when it listens. They stand in app.json, key "healthchecks", or come by checks:set.';

const list: Command = {
  name: 'checks',
  aliases: ['checks:report', 'checks:list'],
  summary: 'List the health checks of an app',
  details: [
    'They stand in app.json (docs/buildpacks.md), or come by checks:set: startup checks hold a deploy until they pass, readiness checks take a dyno out of the',
    "router's list while they fail, liveness checks restart a dyno that hangs.",
  ],
  app: 'required',
  examples: ['checks -a blog', 'checks blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const checks = platform.checks.list(app);
    // A release's check comes from its record, where no status is no field.
    if (json) return out.json(checks.map((check) => ({ ...check, status: check.status })));
    if (checks.length === 0) return out.note(`${app} ${NONE}`);
    out.lines(
      textTable(['TYPE', 'NAME', 'PATH', 'EXPECTS', 'ATTEMPTS', 'EVERY', 'TIMEOUT', 'FROM'], checks.map(row)),
    );
  },
};

const run: Command = {
  name: 'checks:run',
  summary: 'Run the health checks of an app once, on each web dyno',
  details: ['Status 1 where one fails.'],
  app: 'required',
  examples: ['checks:run -a blog'],
  access: 'change',
  json: true,
  async run({ platform, app, out, json, signal }) {
    const results = await platform.checks.run(app, signal);
    const failed = results.some(({ problem }) => problem !== undefined);
    if (json) {
      const documents = results.map(({ dyno, check, problem }) => ({
        dyno,
        check: check.name,
        problem: problem ?? null,
      }));
      await out.json(documents);
    } else if (results.length === 0) {
      out.note(`${app} ${NONE}`);
    } else {
      const rows = results.map(({ dyno, check, problem }) => [dyno, check.name, problem ?? 'ok']);
      out.lines(textTable(['DYNO', 'CHECK', 'RESULT'], rows));
    }
    return failed ? EXIT.failed : EXIT.done;
  },
};

const set: Command = {
  name: 'checks:set',
  summary: 'Set a health check of an app, over what app.json says',
  details: [
    'One of the same name is replaced, that of app.json too; without --name it is called as in app.json, e.g. "startup check". Holds from now on, for the',
    'dynos that run too, and for every release.',
  ],
  app: 'required',
  args: [{ name: 'TYPE', summary: 'startup, readiness or liveness', required: true }],
  flags: [
    { name: 'path', value: 'PATH', summary: 'what is asked for; / without it' },
    { name: 'status', value: 'STATUS', summary: 'the only right answer; any below 400 without it' },
    { name: 'content', value: 'TEXT', summary: 'must stand in the page' },
    { name: 'attempts', value: 'N', summary: 'failures in a row until it counts; 3 without it' },
    { name: 'wait', value: 'SECONDS', summary: 'between two; 5 without it' },
    { name: 'timeout', value: 'SECONDS', summary: 'for the answer; 5 without it' },
    { name: 'delay', value: 'SECONDS', summary: 'before the first; 0 without it' },
    { name: 'name', value: 'NAME', summary: 'how it is called' },
  ],
  examples: [
    'checks:set startup --path /health --content ok -a blog',
    'checks:set blog liveness --path /alive --wait 30',
  ],
  access: 'change',
  async run({ platform, caller, app, args, out, flag }) {
    const wanted = parseCheck(args[0]!, flag);
    await out.action(
      `Setting the ${quote(args[0]!)} check of ${app}`,
      async () => platform.checks.set(app, wanted, caller.user),
      () => 'done',
    );
  },
};

const unset: Command = {
  name: 'checks:unset',
  summary: 'Take back a health check that was set; one of app.json holds again',
  app: 'required',
  args: [{ name: 'NAME', summary: 'as `checks` lists it', required: true }],
  examples: ['checks:unset "startup check" -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    await out.action(
      `Unsetting the check ${quote(args[0]!)} of ${app}`,
      async () => platform.checks.unset(app, args[0]!, caller.user),
      () => 'done',
    );
  },
};

const bootTimeout: Command = {
  name: 'checks:boot-timeout',
  summary: 'Set how long a web dyno may take until it listens; without arguments, show it',
  app: 'required',
  args: [{ name: 'TIME|default', summary: 'e.g. 120s or 5m; default: PAAS_BOOT_TIMEOUT' }],
  examples: [
    'checks:boot-timeout 2m -a blog',
    'checks:boot-timeout blog default',
    'checks:boot-timeout -a blog',
  ],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json }) {
    const [time] = args;
    if (time !== undefined) {
      const seconds = time === 'default' ? undefined : parseDuration(time);
      await out.action(
        `Setting the boot timeout of ${app}`,
        async () => platform.checks.setBootTimeout(app, seconds, caller.user),
        () => `done, ${spanText(platform.checks.bootTimeout(app))}`,
      );
    }
    const now = platform.checks.bootTimeout(app);
    if (json) return out.json({ bootTimeoutSeconds: now });
    if (time === undefined) out.line(spanText(now));
  },
};

export const checksCommands: Command[] = [list, run, set, unset, bootTimeout];

const CHECK_TYPES = ['startup', 'readiness', 'liveness'];

/** Numbers are numbers, the type is one, and nothing else is checked here. */
function parseCheck(type: string, flag: (name: string) => string | undefined): WantedCheck {
  const texts = Object.fromEntries(['path', 'content', 'name'].flatMap((name) => given(name, flag(name))));
  const numbers = ['status', 'attempts', 'wait', 'timeout', 'delay'].flatMap((name) => {
    const text = flag(name);
    if (text === undefined) return [];
    if (!/^\d{1,6}(\.\d{1,3})?$/.test(text))
      throw new PaasError('invalid', `--${name} must be a number, not ${quote(text)}.`);
    return given(name === 'delay' ? 'initialDelay' : name, Number(text));
  });
  if (!CHECK_TYPES.includes(type))
    throw new PaasError(
      'invalid',
      `${quote(type)} is no type of check: it is one of ${CHECK_TYPES.join(', ')}.`,
    );
  return { type: type as CheckView['type'], ...texts, ...Object.fromEntries(numbers) };
}

function given<T>(name: string, value: T | undefined): [string, T][] {
  return value === undefined ? [] : [[name, value]];
}

function row({ type, name, path, content, status, attempts, wait, timeout, source }: CheckView): string[] {
  const expects = [status ?? 'below 400', ...(content === '' ? [] : [JSON.stringify(content)])].join(', ');
  return [type, name, path, expects, String(attempts), `${wait} s`, `${timeout} s`, source];
}
