import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { noVisitorRules } from '../no-visitors.ts';
import { noWebhooks } from '../no-webhooks.ts';
import { DashboardClient } from './dashboard-client.ts';

describe('pages of what goes on around releases', () => {
  let client: DashboardClient;

  beforeEach(async () => {
    client = await DashboardClient.start();
    client.platform.addRunningApp('blog');
    await client.signIn();
    client.platform.calls.length = 0;
  });

  afterEach(() => client[Symbol.asyncDispose]());

  /** The text of a page of the app, without tags. */
  const read = async (path: string) => plain((await client.ask(`/apps/blog/${path}`)).text);

  it('Releases: how a canary goes, and what becomes of it', async () => {
    assert.match(await read('releases'), /Off: a new release goes to all visitors at once/);
    await client.post('/apps/blog/canary', { share: '10' });
    await client.post('/apps/blog/canary', { share: '' });
    assert.deepEqual(client.platform.calls, ['canary blog 10 by alice', 'canary blog undefined by alice']);
    const refused = await client.post('/apps/blog/canary', { share: '100' });
    assert.equal(refused.status, 422);
    assert.match(plain(refused.text), /"100" is no share/);
    client.platform.canary = { share: 10, release: 2, requests: 40, failed: 1 };
    assert.match(await read('releases'), /v2 gets 10% of the visitors: 40 requests, 1 failed\./);
    const [web] = client.platform.dynos.list('blog');
    client.platform.dynos.list = () => [web!, { ...web!, name: 'canary.1', release: 2 }];
    assert.match(plain((await client.ask('/apps/blog')).text), / 1 of 1 up web\.1 up .* canary\.1 up /);
    await client.post('/apps/blog/canary/promote');
    await client.post('/apps/blog/canary/abort');
    assert.deepEqual(client.platform.calls.slice(2), ['promote blog by alice', 'abort blog by alice']);
  });

  it('Releases: leads to the builds of the app, not to those of another from which it was promoted', async () => {
    const own = client.platform.startBuild('blog').view.id;
    client.platform.addRunningApp('staging');
    const others = client.platform.startBuild('staging').view.id;
    const [release] = client.platform.releases.list('blog');
    client.platform.releases.list = () => [own, others].map((buildId) => ({ ...release!, buildId }));
    const { text } = await client.ask('/apps/blog/releases');
    const links = [...text.matchAll(/builds\/(\d+)"/g)].map(([, id]) => Number(id));
    assert.deepEqual(links, [own]);
  });

  it('Health: the checks, and what came of running them', async () => {
    assert.match(await read('checks'), /No health checks.*1 min until it must listen/);
    client.platform.healthChecks = [
      {
        ...{ type: 'startup', name: 'startup check', path: '/health', content: 'fine', status: undefined },
        ...{ attempts: 3, initialDelay: 0, wait: 5, timeout: 4, source: 'app.json' },
      },
    ];
    const row = /startup startup check \/health status below 400, with fine 3 5 s 4 s app\.json/;
    assert.match(await read('checks'), row);
    const { text } = await client.post('/apps/blog/checks/run');
    assert.match(plain(text), /web\.1, startup check : status 500/);
  });

  it('Cron: jobs with their last result, and what can be done with them', async () => {
    client.platform.cronJobs = [
      {
        ...{ id: '1a2b3c4d', source: 'app.json', schedule: '0 3 * * *', command: 'npm run a' },
        ...{ concurrency: 'forbid', timeLimit: 60, suspended: false, next: new Date('2026-08-11T03:00:00Z') },
        last: { at: new Date(), dyno: 'cron.1', status: 3 },
      },
    ];
    assert.match(
      await read('cron'),
      /1a2b3c4d 0 3 \* \* \* npm run a 2026-08-11 03:00 UTC status 3 .* app\.json Run now/,
    );
    for (const [path, form] of [
      ['', { schedule: '@daily', command: 'npm run b' }],
      ['/run', { job: '1a2b3c4d' }],
      ['/suspend', { job: '1a2b3c4d', suspended: 'yes' }],
      ['/remove', { job: 'aaaaaaaa' }],
    ] as const)
      assert.equal((await client.post(`/apps/blog/cron${path}`, form)).status, 303, path);
    assert.deepEqual(client.platform.calls, [
      'cron blog @daily npm run b by alice',
      'cron run blog 1a2b3c4d by alice',
      'suspend blog 1a2b3c4d true by alice',
      'uncron blog aaaaaaaa by alice',
    ]);
    const refused = await client.post('/apps/blog/cron', { schedule: 'soon', command: 'npm run c' });
    assert.equal(refused.status, 422);
    assert.match(refused.text, /is no schedule/);
    assert.match(refused.text, /value="npm run c"/);
  });

  it('Routing: what the router does, and two switches', async () => {
    client.platform.visitors = {
      ...noVisitorRules,
      find: () => ({
        allow: ['10.0.0.0/8'],
        rate: { requests: 5, milliseconds: 1000, burst: 9 },
        users: [{ name: 'ada', hash: 'scrypt:secret' }],
        errorPages: { 503: '<p>' },
      }),
      setSticky: async (app, on, user) => void client.platform.calls.push(`sticky ${app} ${on} by ${user}`),
    };
    client.platform.redirects = {
      ...client.platform.redirects,
      list: () => [{ hostname: 'old.example.com', to: 'example.com', status: 308 }],
    };
    client.platform.ports = {
      ...client.platform.ports,
      list: () => [{ protocol: 'tcp', port: 5432, type: 'db', target: 54, problem: 'taken' }],
    };
    const text = await read('routing');
    for (const part of ['10.0.0.0/8', '5/s, 9 at once', 'ada', '503', 'old.example.com example.com 308'])
      assert.ok(text.includes(part), part);
    assert.ok(text.includes('tcp 5432 db 54 taken'));
    assert.doesNotMatch(text, /secret/);
    await client.post('/apps/blog/maintenance', { on: 'yes' });
    await client.post('/apps/blog/maintenance', { on: 'no' });
    await client.post('/apps/blog/sticky', { on: 'yes' });
    assert.deepEqual(client.platform.calls, [
      'maintenance blog on by alice',
      'maintenance blog off by alice',
      'sticky blog true by alice',
    ]);
  });

  it('Webhooks: the secret of a new one once, and what was sent', async () => {
    client.platform.webhooks = {
      ...noWebhooks,
      list: () => [{ id: 7, url: 'https://example.com/hook', createdAt: new Date(), createdBy: 'alice' }],
      deliveries: (app) => [
        { ...noWebhooks.redeliver(app, 12, 'alice'), state: 'failed', reason: 'no answer' },
      ],
      remove: (app, id, user) => void client.platform.calls.push(`unhook ${app} ${id} by ${user}`),
    };
    const made = await client.post('/apps/blog/webhooks', { url: 'https://example.com/hook' });
    assert.equal(made.status, 303, 'who loads the page again would add one more');
    assert.match(await read('webhooks'), /Its secret, which is shown this once: made-for-you/);
    const text = await read('webhooks');
    assert.doesNotMatch(text, /made-for-you/);
    assert.match(text, /7 https:\/\/example\.com\/hook alice/);
    assert.match(text, /12 1 deploy failed 0 .* no answer/);
    await client.post('/apps/blog/webhooks/remove', { webhook: '7' });
    assert.deepEqual(client.platform.calls, ['unhook blog 7 by alice']);
    assert.equal((await client.post('/apps/blog/webhooks/redeliver', { delivery: '12' })).status, 303);
    assert.equal((await client.post('/apps/blog/webhooks/redeliver', { delivery: 'x' })).status, 422);
  });
});

function plain(html: string): string {
  return html
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&quot;', '"')
    .replace(/\s+/g, ' ')
    .replace(/ ([,.])/g, '$1');
}
