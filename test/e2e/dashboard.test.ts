import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { DashboardClient } from '../server/http/dashboard-client.ts';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const HOSTILE = `"'><img src=x onerror="document.title='canary'"><script>document.title='canary'</script>{{7*7}}\u202e`;

describe('the dashboard in a browser', () => {
  let browser: Browser;
  let client: DashboardClient;
  /** What a page should never cause: exceptions, policy violations. */
  let complaints: string[];

  before(async function () {
    if (!existsSync(CHROMIUM)) {
      console.log(`      skipped: no browser at ${CHROMIUM}`);
      this.skip();
    }
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  });

  after(() => browser?.close());

  beforeEach(async () => {
    complaints = [];
    client = await DashboardClient.start();
    client.platform.addRunningApp('blog');
  });

  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    await client[Symbol.asyncDispose]();
    assert.deepEqual(complaints, []);
  });

  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
    page.on('console', (message) => {
      if (/Content.Security.Policy/i.test(message.text())) complaints.push(message.text());
    });
    return page;
  }

  async function signIn(page: Page): Promise<void> {
    await page.goto(
      `${client.origin}/login/${client.platform.sessions.createLoginToken('alice', 'SHA256:x')}`,
    );
    await page.getByRole('button', { name: 'Sign in as alice' }).click();
    await page.getByRole('heading', { name: 'Apps' }).waitFor();
  }

  it('reports a violation of its policy (the check itself)', async () => {
    const page = await open();
    await page.goto(client.origin);
    await page.evaluate(`{
      const script = document.createElement('script');
      script.textContent = 'document.title = "canary"';
      document.body.append(script);
    }`);
    await setTimeout(50);
    assert.equal(complaints.length, 1);
    assert.notEqual(await page.title(), 'canary');
    complaints = [];
  });

  it('signs in by a link, by keyboard alone, and out', async () => {
    const page = await open();
    await page.goto(
      `${client.origin}/login/${client.platform.sessions.createLoginToken('alice', 'SHA256:x')}`,
    );
    await page.locator('button:focus').waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Apps' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('There are no passwords here').waitFor();
    await page.goto(`${client.origin}/apps/blog`);
    assert.match(await page.content(), /Sign in first/);
  });

  it('shows a new state of the apps without a reload', async () => {
    const page = await open();
    await signIn(page);
    await page.getByText('1 of 1 dyno').waitFor();
    client.platform.crash('blog', 'exited with status 1');
    await page.getByText('crashed').waitFor({ timeout: 3000 });
    client.platform.addRunningApp('shop');
    await page.getByRole('link', { name: 'shop' }).waitFor({ timeout: 3000 });
  });

  it('scales without leaving the page, and shows dynos start', async () => {
    client.platform.bootTime = 2500;
    const page = await open();
    await signIn(page);
    await page.goto(`${client.origin}/apps/blog`);
    await page.getByRole('spinbutton', { name: 'worker' }).fill('2');
    // Both are there until the dyno has booted.
    await Promise.all([
      page.locator('.state-starting').first().waitFor(),
      page.getByText('Scaling worker to 2…').waitFor(),
      page.getByRole('button', { name: 'Scale' }).click(),
    ]);
    await page.getByText('Now running web at 1, worker at 2.').waitFor();
    await page.getByText('2 of 2 up').waitFor();
    assert.deepEqual(client.platform.calls.slice(-1), ['scale blog worker=2 by alice']);
    assert.match(
      String(await page.locator('.twin code').first().textContent()),
      /scale -a blog web=1 worker=2$/,
    );
  });

  it('shows why a change is refused where the form is', async () => {
    const page = await open();
    await signIn(page);
    await page.goto(`${client.origin}/apps/blog`);
    await page.getByLabel('web', { exact: true }).fill('500');
    await page.getByRole('button', { name: 'Scale' }).click();
    await page.getByRole('alert').getByText('at most 100').waitFor();
  });

  it('rolls back after asking', async () => {
    const page = await open();
    await signIn(page);
    await page.goto(`${client.origin}/apps/blog/releases`);
    page.once('dialog', (dialog) => dialog.dismiss());
    await page.getByRole('button', { name: 'Roll back to v1' }).click();
    page.once('dialog', (dialog) => dialog.accept());
    await page.getByRole('button', { name: 'Roll back to v1' }).click();
    await page.getByText('Rolled back to v1; that is now v3.').waitFor();
    assert.equal(client.platform.calls.filter((call) => call.startsWith('rollback')).length, 1);
  });

  it('reveals one config var in place', async () => {
    client.platform.config.set('blog', { A: 'value of A', B: 'value of B' }, 'alice');
    const page = await open();
    await signIn(page);
    await page.goto(`${client.origin}/apps/blog/config`);
    await page.getByRole('link', { name: 'Reveal B' }).click();
    await page.getByText('value of B').waitFor();
    assert.equal(await page.getByText('value of A').count(), 0);
  });

  it('follows logs, stops when the reader scrolls up, and goes on at the end', async () => {
    for (let n = 0; n < 150; n++) client.platform.writeLog('blog', { text: `old line ${n}` });
    const page = await open();
    await signIn(page);
    await page.goto(`${client.origin}/apps/blog/logs`);
    await page.getByText('Live', { exact: true }).waitFor();
    const started = performance.now();
    client.platform.writeLog('blog', { text: '\x1b[31mfresh\x1b[0m line' });
    await page.locator('.fg-red', { hasText: 'fresh' }).waitFor();
    assert.ok(performance.now() - started < 1000);
    await page.locator('.log').evaluate((log) => log.scrollTo(0, 100));
    await page.getByText('Paused').waitFor();
    client.platform.writeLog('blog', { text: 'while paused' });
    await page.getByRole('button', { name: '1 new' }).click();
    await page.getByText('Live', { exact: true }).waitFor();
    assert.ok(await atEnd(page));
  });

  it('goes on with the log where the connection broke', async () => {
    const page = await open();
    await signIn(page);
    await page.goto(`${client.origin}/apps/blog/logs`);
    client.platform.writeLog('blog', { text: 'line 1' });
    await page.getByText('line 1').waitFor();
    await page.context().setOffline(true);
    client.dropConnections();
    await setTimeout(300);
    for (const n of [2, 3, 4]) client.platform.writeLog('blog', { text: `line ${n}` });
    await page.context().setOffline(false);
    await page.getByText('line 4').waitFor({ timeout: 8000 });
    const lines = await page.locator('.log .text').allInnerTexts();
    assert.deepEqual(lines, ['line 1', 'line 2', 'line 3', 'line 4']);
  });

  it('filters the log by dyno and by words', async () => {
    client.platform.writeLog('blog', { text: 'from web' });
    client.platform.writeLog('blog', { text: 'from router', dyno: 'router', source: 'paas' });
    const page = await open();
    await signIn(page);
    await page.goto(`${client.origin}/apps/blog/logs`);
    await page.getByPlaceholder('Show lines with…').fill('ROUTER');
    await page.getByText('from web').waitFor({ state: 'hidden' });
    await page.locator('select[name=show]').selectOption('dyno:web.1');
    await page.waitForURL(/show=dyno/);
    await page.getByText('from web').waitFor();
    assert.equal(await page.getByText('from router').count(), 0);
  });

  it('shows a build as it runs, and its end', async () => {
    const build = client.platform.startBuild('blog');
    client.platform.writeBuild(build, '-----> Building\n');
    const page = await open();
    await signIn(page);
    await page.goto(`${client.origin}/apps/blog/builds/1`);
    client.platform.writeBuild(build, '       step 1\n');
    await page.getByText('step 1').waitFor();
    client.platform.writeBuild(build, '       step 2');
    client.platform.endBuild(build, { state: 'failed', reason: 'The build script failed.' });
    await page.getByText('The build script failed.').waitFor();
    const lines = await page.locator('.log .text').allInnerTexts();
    assert.deepEqual(lines, ['-----> Building', '       step 1', '       step 2']);
  });

  it('asks to sign in again when the session ends elsewhere', async () => {
    const page = await open();
    await signIn(page);
    await page.goto(`${client.origin}/apps/blog/logs`);
    await page.getByText('Live', { exact: true }).waitFor();
    client.platform.openSessions.clear();
    await page.getByRole('heading', { name: 'Sign in first' }).waitFor({ timeout: 5000 });
  });

  it('shows hostile text as text everywhere', async () => {
    const app = client.platform.addRunningApp('hostile');
    Object.assign(app.formation[0]!, { command: HOSTILE });
    Object.assign(app.releases[0]!, { description: HOSTILE, user: HOSTILE });
    Object.assign(app.config, { A: HOSTILE });
    app.domains.push(HOSTILE);
    client.platform.crash('hostile', HOSTILE);
    client.platform.writeLog('hostile', { text: HOSTILE, dyno: HOSTILE, source: HOSTILE });
    const build = client.platform.startBuild('hostile');
    client.platform.writeBuild(build, `${HOSTILE}\n`);
    client.platform.keys.add(HOSTILE, `ssh-ed25519 AAAA ${HOSTILE}`, 'alice');
    client.platform.healthChecks = [
      {
        ...{ type: 'startup', name: HOSTILE, path: HOSTILE, content: HOSTILE, status: undefined },
        ...{ attempts: 3, initialDelay: 0, wait: 5, timeout: 5, source: 'app.json' },
      },
    ];
    client.platform.cronJobs = [
      {
        ...{ id: HOSTILE, source: 'command', schedule: HOSTILE, command: HOSTILE, concurrency: 'forbid' },
        ...{ timeLimit: 60, suspended: false, next: undefined },
        last: { at: new Date(), dyno: HOSTILE, status: 1 },
      },
    ];
    client.platform.redirects.list = () => [{ hostname: HOSTILE, to: HOSTILE, status: 301 }];
    client.platform.visitors.find = () => ({ allow: [HOSTILE], users: [{ name: HOSTILE, hash: HOSTILE }] });
    client.platform.webhooks.list = () => [
      { id: 1, url: HOSTILE, createdAt: new Date(), createdBy: HOSTILE },
    ];
    const page = await open();
    await signIn(page);
    const below = [
      '',
      '/releases',
      '/builds',
      '/builds/1',
      '/logs',
      '/config?reveal=*',
      '/config?edit=A',
      '/domains',
      '/routing',
      '/checks',
      '/cron',
      '/webhooks',
    ];
    for (const path of ['/', '/keys', '/builds', ...below.map((part) => `/apps/hostile${part}`)]) {
      await page.goto(client.origin + path);
      await setTimeout(150);
      client.platform.writeLog('hostile', { text: HOSTILE });
      client.platform.writeBuild(build, `${HOSTILE}\n`);
      await setTimeout(150);
      assert.doesNotMatch(await page.title(), /canary/, path);
      assert.equal(await page.locator('main :is(img, script, [onerror])').count(), 0, path);
      assert.doesNotMatch(String(await page.locator('main').textContent()), /'>49/, path);
    }
  });

  it('does everything but what is live without a script', async () => {
    const page = await open({ javaScriptEnabled: false });
    await signIn(page);
    await page.getByLabel('Name').fill('shop');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText('Created shop.').waitFor();
    await page.goto(`${client.origin}/apps/blog`);
    await page.getByLabel('web', { exact: true }).fill('2');
    await page.getByRole('button', { name: 'Scale' }).click();
    await page.getByText('Now running web at 2').waitFor();
    await page.getByRole('link', { name: 'Config' }).click();
    await page.getByLabel('Name').fill('KEY');
    await page.getByLabel('Value').fill('a\nb');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('link', { name: 'Reveal KEY' }).click();
    assert.equal(await page.locator('pre.value').textContent(), 'a\nb');
    await page.getByRole('link', { name: 'Settings' }).click();
    await page.getByLabel('Type blog to confirm').fill('blog');
    await page.getByRole('button', { name: 'Destroy' }).click();
    await page.getByText('Destroyed blog.').waitFor();
  });

  it('holds one stream a tab, and none while hidden', async () => {
    const page = await open();
    await signIn(page);
    await page.goto(`${client.origin}/apps/blog/logs`);
    await page.getByText('Live', { exact: true }).waitFor();
    assert.equal(client.connectionsFor('/stream'), 1);
    await page.evaluate(`{
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
      document.dispatchEvent(new Event('visibilitychange'));
    }`);
    await setTimeout(200);
    assert.equal(client.connectionsFor('/stream'), 0);
  });

  it('keeps up with 5,000 lines a second', async () => {
    const page = await open();
    await signIn(page);
    await page.goto(`${client.origin}/apps/blog/logs`);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.evaluate(`{
      window.long = [];
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.long.push(Math.round(entry.duration));
      }).observe({ entryTypes: ['longtask'] });
    }`);
    for (let batch = 0; batch < 60; batch++) {
      for (let n = 0; n < 250; n++)
        client.platform.writeLog('blog', { text: `line ${batch}.${n} \x1b[32mok\x1b[0m` });
      await setTimeout(50);
    }
    await page.getByText('line 59.249 ok').waitFor({ timeout: 5000 });
    const long = await page.evaluate<number[]>('window.long');
    console.log(`      15,000 lines in 3 s, long tasks: ${long.length ? long.join(', ') : 'none'} (ms)`);
    await page.getByPlaceholder('Show lines with…').fill('line 30.100 ');
    await page.getByText('line 30.100 ok').waitFor({ timeout: 3000 });
    await page.getByText('line 59.249 ok').waitFor({ state: 'hidden' });
    assert.ok(Math.max(0, ...long) < 250, `longest task ${Math.max(...long)} ms`);
  });
});

function atEnd(page: Page): Promise<boolean> {
  return page.locator('.log').evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 5);
}
