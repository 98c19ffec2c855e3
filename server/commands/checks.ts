import type { CheckView } from '../../deploy/platform.ts';
import type { Command } from './command.ts';
import { EXIT } from './exit-status.ts';
import { textTable } from './text-table.ts';

const NONE =
  'has no health checks: a web dyno is up when it listens. They stand in app.json, key "healthchecks".';

const list: Command = {
  name: 'checks',
  aliases: ['checks:report', 'checks:list'],
  summary: 'List the health checks of an app',
  details: [
    'They stand in app.json (docs/buildpacks.md): startup checks hold a deploy until they pass, readiness checks take a dyno out of the',
    "router's list while they fail, liveness checks restart a dyno that hangs.",
  ],
  app: 'required',
  examples: ['checks -a blog', 'checks blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const checks = platform.checks.list(app);
    if (json) return out.json(checks);
    if (checks.length === 0) return out.note(`${app} ${NONE}`);
    out.lines(
      textTable(['TYPE', 'NAME', 'PATH', 'EXPECTS', 'ATTEMPTS', 'EVERY', 'TIMEOUT'], checks.map(row)),
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

export const checksCommands: Command[] = [list, run];

function row({ type, name, path, content, status, attempts, wait, timeout }: CheckView): string[] {
  const expects = [status ?? 'below 400', ...(content === '' ? [] : [JSON.stringify(content)])].join(', ');
  return [type, name, path, expects, String(attempts), `${wait} s`, `${timeout} s`];
}
