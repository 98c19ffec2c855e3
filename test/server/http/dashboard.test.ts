import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { PaasError } from '../../../deploy/model/paas-error.ts';
import { DashboardClient } from './dashboard-client.ts';

const HOSTILE = `"'><script>alert(1)</script>{{ 7 * 7 }}\${7*7}$(touch canary)\u202e`;

describe('createDashboard()', () => {
  let client: DashboardClient;

  beforeEach(async () => {
    client = await DashboardClient.start();
    client.platform.addRunningApp('blog');
  });

  afterEach(() => client[Symbol.asyncDispose]());

  describe('sign-in', () => {
    it('asks before it uses the link up, then keeps the session in a cookie', async () => {
      const token = client.platform.sessions.createLoginToken('alice', 'SHA256:x');
      for (let look = 0; look < 3; look++) {
        const { status, text } = await client.ask(`/login/${token}`);
        assert.equal(status, 200);
        assert.match(text, /Sign in as <bdi>alice/);
      }
      const answer = await client.ask(`/login/${token}`, { method: 'POST' });
      assert.equal(answer.status, 303);
      assert.equal(answer.headers.location, '/');
      const cookie = String(answer.headers['set-cookie']);
      assert.match(cookie, /^paas_session=[\w-]{43}; Max-Age=\d+; Path=\/; HttpOnly; SameSite=Lax$/);
      assert.equal((await client.ask('/', { headers: { Cookie: cookie.split(';')[0]! } })).status, 200);
    });

    it('is not thrown off by a cookie that an app planted, nor taken over by its session', async () => {
      await client.signIn('mallory');
      const planted = client.cookie;
      client.cookie = '';
      await client.signIn('alice');
      const junk = await client.ask('/', {
        headers: { Cookie: `paas_session=${'x'.repeat(43)}; ${client.cookie}` },
      });
      assert.match(junk.text, /Signed in as alice/);
      const both = await client.ask('/', { headers: { Cookie: `${planted}; ${client.cookie}` } });
      assert.equal(both.status, 401);
    });

    it('refuses a link that was used, and one that never was', async () => {
      const token = client.platform.sessions.createLoginToken('alice', 'SHA256:x');
      await client.ask(`/login/${token}`, { method: 'POST' });
      for (const path of [`/login/${token}`, `/login/${'x'.repeat(43)}`, '/login/%00', '/login/..%2f']) {
        for (const method of ['GET', 'POST']) {
          const answer = await client.ask(path, { method });
          assert.equal(answer.status, 404, path);
          assert.equal(answer.headers['set-cookie'], undefined);
        }
      }
    });

    it('ends the session at sign-out, and its open streams', async () => {
      await client.signIn();
      const streaming = client.stream('/events', () => false);
      while (client.connectionsFor('/events') === 0) await setTimeout(5);
      const answer = await client.post('/logout');
      assert.equal(answer.headers.location, '/login');
      assert.match(String(answer.headers['set-cookie']), /^paas_session=; Max-Age=0;/);
      assert.equal((await streaming).status, 200);
      assert.equal((await client.ask('/')).status, 401);
    });

    it('ends open streams when the session is ended elsewhere', async () => {
      await client.signIn();
      const streaming = client.stream('/apps/blog/logs/stream', () => false);
      while (client.connectionsFor('/logs/stream') === 0) await setTimeout(5);
      client.platform.openSessions.clear();
      assert.equal((await streaming).status, 200);
    }).timeout(4000);

    it('puts no one-time link into the log when it fails', async () => {
      client.platform.sessions.peekLoginToken = () => {
        throw new Error('the disk is gone');
      };
      const { status, text } = await client.ask('/login/secret-token-of-somebody');
      assert.equal(status, 500);
      assert.doesNotMatch(text, /disk is gone|secret-token/);
      assert.match(client.logged.join(), /disk is gone/);
      assert.doesNotMatch(client.logged.join(), /secret-token/);
    });
  });

  describe('behind the router', () => {
    it('sets a __Host- cookie over https, as the router says on its unix socket', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'dashboard-'));
      await using router = await DashboardClient.start(join(folder, 'd.sock'));
      const https = { 'X-Forwarded-Proto': 'https', Host: 'paas.example.com' };
      const token = router.platform.sessions.createLoginToken('alice', 'SHA256:x');
      const own = { ...https, 'Sec-Fetch-Site': '', Origin: 'https://paas.example.com' };
      const wrong = { ...own, Origin: 'http://paas.example.com' };
      assert.equal((await router.ask(`/login/${token}`, { method: 'POST', headers: wrong })).status, 403);
      await router.signIn('alice', https);
      assert.match(router.cookie, /^__Host-paas_session=/);
      assert.equal((await router.ask('/', { headers: https })).status, 200);
      assert.equal((await router.ask('/')).status, 401);
      await rm(folder, { recursive: true });
    });

    it('takes nobody else for the router', async () => {
      const headers = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-For': '10.0.0.1' };
      await client.signIn('alice', headers);
      assert.match(client.cookie, /^paas_session=/);
    });
  });

  describe('changes from a page of ours', () => {
    it('are known by Origin where the browser sends no Sec-Fetch-Site', async () => {
      await client.signIn();
      const post = (Origin?: string) => rawPost(client, Origin === undefined ? {} : { Origin });
      assert.equal(await post(client.origin), 303);
      assert.equal(await post('http://blog.localhost'), 403);
      assert.equal(await post('null'), 403);
      assert.equal(await post(`${client.origin}.evil.example`), 403);
      assert.equal(await post(), 403);
    });
  });

  describe('apps', () => {
    it('shows how to push while there is none', async () => {
      await client.platform.apps.destroy('blog', 'alice');
      await client.signIn();
      const { text } = await client.ask('/');
      assert.match(text, /git remote add paas ssh:\/\/paas@localhost:2222\//);
    });

    it('creates one, and shows a refused name again with the reason', async () => {
      await client.signIn();
      assert.equal((await client.post('/apps', { name: ' shop ' })).headers.location, '/apps/shop');
      assert.match((await client.ask('/apps/shop')).text, /Created shop\./);
      const refused = await client.post('/apps', { name: HOSTILE });
      assert.equal(refused.status, 422);
      assert.match(refused.text, /may have only lower-case letters/);
      assert.doesNotMatch(refused.text, /<script>alert/);
      assert.equal((await client.post('/apps', { name: 'shop' })).status, 409);
    });

    it('destroys one only when its name was typed', async () => {
      await client.signIn();
      assert.equal((await client.post('/apps/blog/destroy', { confirm: 'blog2' })).status, 422);
      assert.doesNotMatch(client.platform.calls.join('\n'), /destroy/);
      assert.equal((await client.post('/apps/blog/destroy', { confirm: 'blog' })).headers.location, '/');
      assert.match(client.platform.calls.join('\n'), /destroy blog by alice/);
    });
  });

  describe('one app', () => {
    beforeEach(() => client.signIn());

    it('scales only the types that were changed, also to 0', async () => {
      await client.post('/apps/blog/scale', { 'quantity.web': '3', 'quantity.worker': '0' });
      await client.post('/apps/blog/scale', { 'quantity.web': '0' });
      assert.deepEqual(client.platform.calls.slice(-2), [
        'scale blog web=3 by alice',
        'scale blog web=0 by alice',
      ]);
      const { text } = await client.ask('/apps/blog');
      assert.match(text, /Now running web at 0, worker at 0\./);
    });

    it('refuses quantities that are no numbers', async () => {
      for (const quantity of ['-1', '1.5', 'x', '', '1e3']) {
        const { status } = await client.post('/apps/blog/scale', { 'quantity.web': quantity });
        assert.equal(status, 422, quantity);
      }
      assert.equal((await client.post('/apps/blog/scale', { 'quantity.web': '500' })).status, 422);
    });

    it('restarts everything, a type or a dyno', async () => {
      for (const target of ['', 'web', 'web.1']) await client.post('/apps/blog/restart', { target });
      assert.deepEqual(client.platform.calls.slice(-3), [
        'restart blog (all) by alice',
        'restart blog web by alice',
        'restart blog web.1 by alice',
      ]);
    });

    it('rolls back to the chosen release', async () => {
      const { text } = await client.ask('/apps/blog/releases');
      assert.match(text, /name="version" value="1"/);
      assert.doesNotMatch(text, /name="version" value="2"/);
      await client.post('/apps/blog/rollback', { version: '1' });
      assert.match((await client.ask('/apps/blog/releases')).text, /Rolled back to v1; that is now v3\./);
    });

    it('does not keep the visitor waiting for a slow change, and tells its end later', async () => {
      client.platform.bootTime = 2600;
      const started = performance.now();
      await client.post('/apps/blog/rollback', { version: '1' });
      assert.ok(performance.now() - started < 2400);
      assert.match((await client.ask('/apps/blog')).text, /Rolling back to v1: starting its dynos…/);
      const { text } = await client.stream('/apps/blog/events', (sofar) => sofar.includes('Rolled back'));
      assert.match(text, /id="notices" hx-swap-oob="innerHTML"/);
    }).timeout(6000);

    it('tells what was done on the next page, not on the one that is being left', async () => {
      const left = client.stream('/apps/blog/events', (sofar) => sofar.includes('v4'));
      await client.post('/apps/blog/rollback', { version: '1' });
      // The page that is left looks twice a second.
      await setTimeout(700);
      const next = await client.ask('/apps/blog/releases');
      await client.post('/apps/blog/rollback', { version: '1' });
      assert.match(next.text, /Rolled back to v1; that is now v3\./);
      assert.doesNotMatch((await left).text, /Rolled back/);
    }).timeout(6000);

    it('masks config values until asked, and keeps several lines', async () => {
      const value = `  line 1\nline 2 "quoted" = ü\n${HOSTILE}\n`;
      await client.post('/apps/blog/config', { name: 'KEY', value: value.replaceAll('\n', '\r\n') });
      assert.equal(client.platform.config.all('blog').KEY, value);
      const masked = await client.ask('/apps/blog/config');
      assert.doesNotMatch(masked.text, /line 1/);
      const revealed = await client.ask('/apps/blog/config?reveal=KEY');
      assert.match(revealed.text, /line 1\nline 2 &quot;quoted&quot; = ü/);
      assert.doesNotMatch(revealed.text, /<script>alert/);
      assert.match((await client.ask('/apps/blog/config?edit=KEY')).text, /line 1\nline 2/);
      await client.post('/apps/blog/config/unset', { name: 'KEY' });
      assert.deepEqual(client.platform.config.all('blog'), {});
    });

    it('shows a refused config var again with what was typed', async () => {
      const { status, text } = await client.post('/apps/blog/config', {
        name: '1 BAD',
        value: 'typed\r\nvalue',
      });
      assert.equal(status, 422);
      assert.match(text, /is no name for a config var/);
      assert.match(text, /typed\nvalue<\/textarea>/);
    });

    it('shows the certificate of each domain, or why there is none', async () => {
      const host = (hostname: string, problem?: string) => ({ hostname, problem, nextOrder: undefined });
      client.platform.certificates = {
        ...client.platform.certificates,
        list: () => [
          {
            ...host('blog.localhost'),
            kind: 'automatic',
            certificate: {
              hosts: ['blog.localhost'],
              issuer: '<b>',
              serialNumber: '1',
              fingerprint: 'AB',
              notBefore: new Date('2026-11-01'),
              notAfter: new Date('2027-02-01'),
            },
          },
          { ...host('www.example.com', 'DNS <i>does</i> not know it'), kind: 'none', certificate: undefined },
        ],
      };
      await client.post('/apps/blog/domains', { hostname: 'www.example.com' });
      const { text } = await client.ask('/apps/blog/domains');
      assert.match(text, /<td>automatic, until 2027-02-01<\/td>/);
      assert.match(
        text,
        /<td>none<br><span class="muted">DNS &lt;i&gt;does&lt;\/i&gt; not know it<\/span><\/td>/,
      );
      await client.post('/apps/blog/domains/remove', { hostname: 'www.example.com' });
    });

    it('adds and removes domains', async () => {
      await client.post('/apps/blog/domains', { hostname: 'www.example.com' });
      assert.match((await client.ask('/apps/blog/domains')).text, /value="www\.example\.com"/);
      await client.post('/apps/blog/domains/remove', { hostname: 'www.example.com' });
      assert.equal(client.platform.domains.list('blog').length, 1);
      assert.equal((await client.post('/apps/blog/domains', { hostname: 'a b' })).status, 422);
    });

    it('has no page for an app or build that is not there, or for another app’s build', async () => {
      client.platform.addRunningApp('shop');
      client.platform.endBuild(client.platform.startBuild('shop'), { state: 'succeeded' });
      for (const path of [
        '/apps/nope',
        '/apps/%3Cscript%3E',
        '/apps/blog/builds/9',
        '/apps/blog/builds/1',
        '/x',
      ]) {
        assert.equal((await client.ask(path)).status, 404, path);
      }
      assert.equal((await client.ask('/apps/shop/builds/1')).status, 200);
      assert.equal((await client.ask('/apps/%E0%A4%A')).status, 400);
    });
  });

  describe('logs', () => {
    beforeEach(() => client.signIn());

    it('are in the page without a script, with colours and without markup', async () => {
      client.platform.writeLog('blog', { text: `\x1b[31mred\x1b[0m ${HOSTILE}` });
      const { text } = await client.ask('/apps/blog/logs');
      assert.match(text, /<span class="fg-red">red<\/span>/);
      assert.doesNotMatch(text, /<script>alert|\u202e|(?![\n\t])\p{Cc}/u);
    });

    it('follow, and go on where a reader broke off without loss or repetition', async () => {
      const at = new Date('2026-08-10T10:00:00Z');
      for (const text of ['one', 'two', 'three']) client.platform.writeLog('blog', { text, at });
      const first = await client.stream('/apps/blog/logs/stream', (text) => text.includes('three'));
      const id = /^id: (.*)$/m.exec(first.text)?.[1] ?? '';
      assert.equal(id, `${at.getTime()}.3`);
      client.platform.writeLog('blog', { text: 'four', at });
      const next = client.stream('/apps/blog/logs/stream', (text) => text.includes('five'), {
        'Last-Event-ID': id,
      });
      await setTimeout(100);
      client.platform.writeLog('blog', { text: 'five' });
      const { text } = await next;
      assert.match(text, /four/);
      assert.doesNotMatch(text, /one|two|three/);
    });

    it('say where lines are missing', async () => {
      client.platform.writeLog('blog', { text: 'new' });
      const headers = { 'Last-Event-ID': '1000.1' };
      const { text } = await client.stream(
        '/apps/blog/logs/stream',
        (sofar) => sofar.includes('new'),
        headers,
      );
      assert.match(text, /^event: gap$/m);
    });

    it('are filtered by dyno, type or source', async () => {
      client.platform.writeLog('blog', { text: 'from web' });
      client.platform.writeLog('blog', { text: 'from worker', dyno: 'worker.1' });
      const { text } = await client.ask('/apps/blog/logs?show=dyno:worker.1');
      assert.match(text, /from worker/);
      assert.doesNotMatch(text, /from web/);
      assert.match(text, /logs -a blog -d worker\.1 -t/);
      assert.match(
        (await client.ask(`/apps/blog/logs?show=${encodeURIComponent(HOSTILE)}`)).text,
        /from web/,
      );
    });

    it('download as text', async () => {
      client.platform.writeLog('blog', { text: 'hello', at: new Date('2026-08-10T10:00:00Z') });
      const { headers, text } = await client.ask('/apps/blog/logs/download');
      assert.equal(text, '2026-08-10T10:00:00.000Z app[web.1]: hello\n');
      assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
      assert.match(String(headers['content-disposition']), /^attachment/);
    });

    it('stop being read when the reader leaves', async () => {
      let signal: AbortSignal | undefined;
      const read = client.platform.logs.read;
      client.platform.logs.read = (app, query) => {
        signal = query.signal;
        return read(app, query);
      };
      client.platform.writeLog('blog', { text: 'hello' });
      await client.stream('/apps/blog/logs/stream', (text) => text.includes('hello'));
      await setTimeout(50);
      assert.equal(signal?.aborted, true);
    });
  });

  describe('a build', () => {
    beforeEach(() => client.signIn());

    it('streams its output as it comes, and its end', async () => {
      const build = client.platform.startBuild('blog');
      client.platform.writeBuild(build, '-----> one\n-----> tw');
      const whole = client.stream('/apps/blog/builds/1/output', () => false);
      await setTimeout(100);
      client.platform.writeBuild(build, 'o\n');
      client.platform.endBuild(build, { state: 'succeeded' });
      const { text } = await whole;
      assert.match(text, /"-----> two"/);
      assert.match(text, /event: end/);
      const again = await client.stream('/apps/blog/builds/1/output', () => false, { 'Last-Event-ID': '1' });
      assert.doesNotMatch(again.text, /one/);
      assert.match(again.text, /id: 2\ndata: \[\["-----> two"\]\]/);
    });

    it('lists pushes that wait for the one before them', async () => {
      const push = { app: 'blog', user: 'bob', branches: ['main'], since: new Date() };
      client.platform.waitingPushes.push(push);
      for (const path of ['/builds', '/apps/blog/builds'])
        assert.match((await client.ask(path)).text, /A push of <bdi>main<\/bdi>.* by <bdi>bob<\/bdi> waits/);
    });

    it('pins the reason of a failure above the output', async () => {
      const build = client.platform.startBuild('blog');
      client.platform.endBuild(build, { state: 'failed', reason: `npm failed ${HOSTILE}` });
      const { text } = await client.ask('/apps/blog/builds/1');
      assert.match(text, /class="problem"><bdi>npm failed/);
      assert.doesNotMatch(text, /<script>alert/);
    });

    it('can be cancelled', async () => {
      client.platform.startBuild('blog');
      await client.post('/apps/blog/builds/1/cancel');
      assert.match((await client.ask('/apps/blog/builds/1')).text, /Cancelled build #1\./);
    });
  });

  describe('answers', () => {
    it('keep the words of our errors and hide those of others', async () => {
      await client.signIn();
      client.platform.apps.list = () => {
        throw new Error('SQLITE_CORRUPT at /secret/path');
      };
      const broken = await client.ask('/');
      assert.equal(broken.status, 500);
      assert.doesNotMatch(broken.text, /SQLITE|secret|dashboard\.ts/);
      client.platform.apps.list = () => {
        throw new PaasError('unavailable', 'The runtime is starting. Try again in a moment.');
      };
      const starting = await client.ask('/');
      assert.equal(starting.status, 503);
      assert.match(starting.text, /The runtime is starting/);
    });

    it('are compressed where the browser takes it', async () => {
      await client.signIn();
      const { headers } = await client.ask('/', { headers: { 'Accept-Encoding': 'gzip' } });
      assert.equal(headers['content-encoding'], 'gzip');
    });

    it('serve assets by allow-list, immutable and compressed', async () => {
      await client.signIn();
      const { text } = await client.ask('/');
      const [script = ''] = /\/assets\/app\.[0-9a-f]{12}\.js/.exec(text) ?? [];
      const answer = await client.ask(script, { headers: { 'Accept-Encoding': 'br, gzip' } });
      assert.equal(answer.headers['content-encoding'], 'br');
      assert.equal(answer.headers['cache-control'], 'public, max-age=31536000, immutable');
      assert.match(String(answer.headers['content-type']), /^text\/javascript/);
      for (const path of [
        '/assets/..%2f..%2fpackage.json',
        '/assets/app.js',
        '/assets/__proto__',
        '/assets/app.css',
      ]) {
        assert.equal((await client.ask(path)).status, 404, path);
      }
    });

    it('refuse bodies that are too long or no form', async () => {
      await client.signIn();
      assert.equal(
        (await client.post('/apps/blog/config', { name: 'A', value: 'x'.repeat(1_100_000) })).status,
        413,
      );
      const headers = { 'Content-Type': 'application/json' };
      assert.equal((await client.ask('/apps/blog/scale', { method: 'POST', headers })).status, 403);
    });
  });
});

/** Creates an app with the headers given, and no Sec-Fetch-Site. */
async function rawPost(client: DashboardClient, headers: Record<string, string>): Promise<number> {
  const { request } = await import('node:http');
  const type = { 'Content-Type': 'application/x-www-form-urlencoded' };
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers: { Cookie: client.cookie, ...type, ...headers }, agent: false };
    const req = request(`${client.origin}/apps`, options, (res) => {
      res.resume();
      resolve(res.statusCode ?? 0);
    });
    req.on('error', reject);
    req.end(`csrf=${client.csrf}&name=app-${Math.floor(Math.random() * 1e9)}`);
  });
}
