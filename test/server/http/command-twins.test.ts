import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { commands } from '../../../server/commands/all-commands.ts';
import { parseInvocation } from '../../../server/commands/grammar.ts';
import { routes } from '../../../server/http/routes.ts';
import { DashboardClient } from './dashboard-client.ts';

const LIVE = /\/(events|stream|output|download)$/;

describe('the command that each page shows', () => {
  it('is one that the command line takes', async () => {
    await using client = await DashboardClient.start();
    client.platform.addRunningApp('blog');
    client.platform.endBuild(client.platform.startBuild('blog'), { state: 'succeeded' });
    await client.signIn();
    const vocabulary = { commands, appExists: (name: string) => name === 'blog', appNames: () => ['blog'] };
    const pages = routes.filter(
      ({ method, path, access }) => method === 'GET' && access === 'session' && !LIVE.test(path),
    );
    for (const { path } of pages) {
      const { text } = await client.ask(path.replace(':app', 'blog').replace(':id', '1'));
      const twins = [...text.matchAll(/data-copy="ssh -p 2222 paas@localhost ([^"]*)"/g)].map(
        (match) => match[1]!,
      );
      assert.ok(twins.length > 0, `${path} shows none`);
      for (const twin of twins) assert.doesNotThrow(() => parseInvocation(twin.split(' '), vocabulary), twin);
    }
  });
});
