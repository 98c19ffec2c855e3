import type { Command } from './command.ts';
import { parseOnOff } from './on-off.ts';

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
      const wanted = parseOnOff(word);
      await out.action(
        `Setting sticky sessions of ${app}`,
        () => platform.visitors.setSticky(app, wanted, caller.user),
        () => 'done',
      );
    }
    const sticky = platform.visitors.find(app).sticky ?? false;
    if (json) return out.json({ sticky });
    if (word === undefined) out.line(sticky ? 'on' : 'off');
  },
};
