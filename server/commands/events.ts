import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { EventQuery, PlatformEvent } from '../../deploy/platform.ts';
import type { Command } from './command.ts';
import { EXIT } from './exit-status.ts';
import { parseCount } from './releases.ts';
import { filterLine } from './terminal-text.ts';

const events: Command = {
  name: 'events',
  summary: 'Show who did what, on one app or on all',
  details: ['Also of an app that is gone. With --json: one object a line.'],
  app: 'optional',
  takesGone: true,
  flags: [
    { name: 'num', short: 'n', value: 'N', summary: 'how many of the last; 100 without it' },
    { name: 'tail', short: 't', aliases: ['follow'], summary: 'go on with new ones as they come' },
  ],
  examples: ['events', 'events -t -a blog', 'events -n 20 --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json, flag, signal }) {
    const query: EventQuery = {
      lines: parseCount(flag('num') ?? '100'),
      follow: flag('tail') !== undefined,
      signal,
    };
    if (app !== '') query.app = app;
    let isKnown = app === '' || query.follow || platform.apps.list().some(({ name }) => name === app);
    for await (const event of platform.events.read(query)) {
      await (json ? out.json(event) : out.write(eventText(event)));
      isKnown = true;
      if (signal.aborted) return EXIT.interrupted;
    }
    if (!isKnown) throw new PaasError('not_found', `There is no app ${quote(app)}, and there was none.`);
  },
};

export const eventsCommands: Command[] = [events];

/** `2026-08-10 10:00:00 alice blog ps:scale: Scaled to web@3`, safe for a terminal. */
function eventText({ at, user, app, action, text }: PlatformEvent): string {
  const time = at.toISOString().slice(0, 19).replace('T', ' ');
  return `${time} ${user} ${app ?? '-'} ${action}: ${filterLine(text)}\n`;
}
