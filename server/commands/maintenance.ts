import { PaasError } from '../../deploy/model/paas-error.ts';
import { readInput } from './client-input.ts';
import type { Command } from './command.ts';

const status: Command = {
  name: 'maintenance',
  summary: 'Say whether an app is in maintenance mode',
  app: 'required',
  examples: ['maintenance -a blog', 'maintenance blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const maintenance = platform.maintenance.isOn(app);
    if (json) return out.json({ maintenance });
    out.line(maintenance ? 'on' : 'off');
  },
};

const on: Command = {
  name: 'maintenance:on',
  aliases: ['maintenance:enable'],
  summary: 'Show visitors a maintenance page; the dynos run on',
  details: [
    'Every request is answered with status 503 and the page. Deploys, one-off dynos and workers go on.',
  ],
  app: 'required',
  args: [{ name: 'PAGE', summary: '`-` reads a page of your own, in HTML, from standard input' }],
  examples: ['maintenance:on -a blog', 'maintenance:on -a blog - < maintenance.html'],
  access: 'change',
  stdin: (args) => args.includes('-'),
  async run(context) {
    const { platform, caller, app, args, out } = context;
    const [file] = args;
    if (file !== undefined && file !== '-')
      throw new PaasError('invalid', 'Files are not sent. Use: maintenance:on - < FILE');
    const page = file === undefined ? undefined : await readInput(context);
    await out.action(
      `Enabling maintenance mode for ${app}`,
      () => platform.maintenance.on(app, page, caller.user),
      () => 'done',
    );
  },
};

const off: Command = {
  name: 'maintenance:off',
  aliases: ['maintenance:disable'],
  summary: 'Let visitors in again',
  app: 'required',
  examples: ['maintenance:off -a blog'],
  access: 'change',
  async run({ platform, caller, app, out }) {
    await out.action(
      `Disabling maintenance mode for ${app}`,
      () => platform.maintenance.off(app, caller.user),
      () => 'done',
    );
  },
};

export const maintenanceCommands: Command[] = [status, on, off];
