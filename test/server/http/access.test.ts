import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { routes } from '../../../server/http/routes.ts';
import { DashboardClient } from './dashboard-client.ts';

const PARAMETERS: Record<string, string> = {
  app: 'blog',
  id: '1',
  token: 'no-such-token',
  file: 'nothing.js',
};
const STREAMS = /\/(events|stream|output)$/;

function pathOf(pattern: string): string {
  return pattern.replace(/:(\w+)/g, (_, name: string) => PARAMETERS[name] ?? name);
}

describe('the access table', () => {
  let client: DashboardClient;

  before(async () => {
    client = await DashboardClient.start();
    client.platform.addRunningApp('blog');
    client.platform.writeLog('blog', { text: 'hello' });
    client.platform.endBuild(client.platform.startBuild('blog'), { state: 'succeeded' });
  });

  after(() => client[Symbol.asyncDispose]());

  it('opens to anyone nothing but sign-in and assets', () => {
    const open = routes
      .filter(({ access }) => access === 'anyone')
      .map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual(open, ['GET /assets/:file', 'GET /login', 'GET /login/:token', 'POST /login/:token']);
  });

  for (const { method, path, access } of routes) {
    it(`${method} ${path} answers a visitor ${access === 'anyone' ? 'without' : 'only with'} a session`, async () => {
      client.cookie = '';
      client.platform.calls.length = 0;
      const { status, text, headers } = await client.ask(pathOf(path), { method, form: { csrf: '' } });
      if (access === 'anyone') {
        assert.notEqual(status, 401);
      } else {
        assert.equal(status, 401);
        assert.match(text, /paas@localhost login/);
        assert.doesNotMatch(text, /blog/);
        assert.equal(headers['hx-refresh'], 'true');
      }
      assert.deepEqual(client.platform.calls, []);
    });
  }

  it('takes no session that has ended', async () => {
    await client.signIn();
    client.platform.openSessions.clear();
    assert.equal((await client.ask('/')).status, 401);
  });

  it('tells a visitor nothing of what exists', async () => {
    client.cookie = '';
    const real = await client.ask('/apps/blog');
    const unreal = await client.ask('/apps/no-such-app');
    const nowhere = await client.ask('/no/such/page');
    assert.deepEqual([real.status, unreal.status, nowhere.status], [401, 401, 401]);
    assert.equal(real.text, unreal.text);
    assert.equal(real.text, nowhere.text);
  });

  for (const { path } of routes.filter(({ method, access }) => method === 'GET' && access === 'session')) {
    it(`GET ${path} answers a signed-in user`, async () => {
      await client.signIn();
      const answer = STREAMS.test(path)
        ? await client.stream(pathOf(path), (text) => text.includes('\n\n'))
        : await client.ask(pathOf(path));
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.equal(answer.headers['x-content-type-options'], 'nosniff');
      assert.match(
        String(answer.headers['content-security-policy']),
        /^default-src 'none'; script-src 'self';/,
      );
    }).timeout(4000);
  }

  for (const { path, access } of routes.filter(({ method }) => method === 'POST')) {
    it(`POST ${path} refuses what another site or no browser asked for`, async () => {
      await client.signIn();
      client.platform.calls.length = 0;
      const elsewhere: Record<string, string>[] = [
        { 'Sec-Fetch-Site': 'cross-site' },
        { 'Sec-Fetch-Site': 'same-site' },
        { 'Sec-Fetch-Site': 'none' },
        { 'Sec-Fetch-Site': 'cross-site', Origin: client.origin },
      ];
      for (const headers of elsewhere) {
        const { status } = await client.ask(pathOf(path), { method: 'POST', headers });
        assert.equal(status, 403, JSON.stringify(headers));
      }
      assert.deepEqual(client.platform.calls, []);
    });

    if (access === 'session') {
      it(`POST ${path} refuses a form without the session's token`, async () => {
        await client.signIn();
        client.platform.calls.length = 0;
        for (const csrf of ['', 'x'.repeat(client.csrf.length)]) {
          assert.equal((await client.post(pathOf(path), { csrf })).status, 403);
        }
        assert.deepEqual(client.platform.calls, []);
        assert.ok(client.platform.sessions.find(client.cookie.split('=')[1]!), 'still signed in');
      });
    }
  }
});
