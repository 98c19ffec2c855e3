import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { CanaryView } from '../../deploy/platform.ts';
import type { Command } from './command.ts';

const set: Command = {
  name: 'releases:canary',
  aliases: ['canary'],
  summary: 'Give new releases to a share of the visitors first; without arguments, show how it goes',
  details: [
    'With a share, the next push begins as a canary: it boots beside the current release, and that share of the visitors gets it, each',
    'always the same (by a cookie). `releases:promote` gives it to all, `releases:abort` to nobody; it is given up by itself when more than',
    '5% of its requests fail (of 20 or more). With `off`, new releases go to all at once again.',
  ],
  app: 'required',
  args: [{ name: 'SHARE|off', summary: 'e.g. 10%; off' }],
  examples: ['releases:canary 10% -a blog', 'releases:canary -a blog', 'releases:canary blog off'],
  access: 'change',
  json: true,
  async run({ platform, caller, app, args, out, json }) {
    const [share] = args;
    if (share !== undefined) {
      await out.action(
        `Setting the canary of ${app}`,
        () => platform.canaries.set(app, parseShare(share), caller.user),
        () => 'done',
      );
    }
    const canary = platform.canaries.find(app);
    if (json) return out.json({ ...canary, share: canary.share ?? null, release: canary.release ?? null });
    if (share === undefined) out.line(canaryText(canary));
  },
};

const promote: Command = {
  name: 'releases:promote',
  summary: 'Give the canary to all visitors',
  app: 'required',
  examples: ['releases:promote -a blog'],
  access: 'change',
  async run({ platform, caller, app, out }) {
    await out.action(
      `Promoting the canary of ${app}`,
      () => platform.canaries.promote(app, caller.user),
      (version) => `done, v${version}`,
    );
  },
};

const abort: Command = {
  name: 'releases:abort',
  aliases: ['abort'],
  summary: 'Give the canary up; all visitors get the current release',
  app: 'required',
  examples: ['releases:abort -a blog'],
  access: 'change',
  async run({ platform, caller, app, out }) {
    await out.action(
      `Giving up the canary of ${app}`,
      () => platform.canaries.abort(app, caller.user),
      (version) => `done, v${version} is gone`,
    );
  },
};

export const canaryCommands: Command[] = [set, promote, abort];

/** Percent; undefined: off. */
function parseShare(text: string): number | undefined {
  if (text === 'off') return undefined;
  const match = /^(\d{1,2})%?$/.exec(text);
  if (!match) throw new PaasError('invalid', `${quote(text)} is no share: it should look like 10%, or off.`);
  return Number(match[1]);
}

function canaryText({ share, release, requests, failed }: CanaryView): string {
  if (share === undefined) return 'off';
  if (release === undefined) return `${share}% of the visitors, from the next push on`;
  return `v${release} gets ${share}% of the visitors: ${requests} requests, ${failed} failed`;
}
