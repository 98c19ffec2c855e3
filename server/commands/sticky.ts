import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { Command } from './command.ts';

/** For apps that keep sessions in the memory of a dyno. */
export const stickyCommand: Command = {
  name: 'ps:sticky',
  summary: 'Let each visitor stay with one web dyno; without arguments, show it',
  details: [
    'By a cookie of the router’s, for as long as the browser runs. A visitor whose dyno is gone, refuses connections or keeps failing gets',
    'another one. `off`: whichever dyno is least busy.',
  ],
  app: 'required',
  args: [{ name: 'on|off', summary: 'on or off' }],
  examples: ['ps:sticky on -a blog', 'ps:sticky blog off', 'ps:sticky -a blog'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json }) {
    const [word] = args;
    if (word !== undefined) {
      if (word !== 'on' && word !== 'off')
        throw new PaasError('invalid', `${quote(word)} is neither on nor off.`);
      await out.action(
        `Setting sticky sessions of ${app}`,
        () => platform.visitors.setSticky(app, word === 'on', caller.user),
        () => 'done',
      );
    }
    const sticky = platform.visitors.find(app).sticky ?? false;
    if (json) return out.json({ sticky });
    if (word === undefined) out.line(sticky ? 'on' : 'off');
  },
};
