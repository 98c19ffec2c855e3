import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { type Browser, chromium, type Page } from 'playwright-core';
import { Instance, whyNot } from './instance.ts';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'];

describe('the dashboard of a whole platform', function () {
  this.timeout(240_000);
  let paas: Instance;
  let folder: string;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  before(async function () {
    const reason = whyNot() ?? (existsSync(CHROMIUM) ? undefined : `no browser at ${CHROMIUM}`);
    if (reason) {
      console.log(`      skipped: ${reason}`);
      return this.skip();
    }
    paas = await Instance.start();
    folder = await paas.checkout('node-worker', 'shop');
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    page = await browser.newPage();
    page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
    page.on('console', (message) => {
      if (/Content.Security.Policy/i.test(message.text())) complaints.push(message.text());
    });
  });

  after(async () => {
    await browser?.close();
    await paas?.remove();
    assert.deepEqual(complaints, []);
  });

  function at(path: string): string {
    return new URL(path, paas.endpoints.dashboard).href;
  }

  it('lets in whoever opens the link that `login` prints', async () => {
    const link = /http:\S+\/login\/\S+/.exec(await paas.paas('login'))?.[0] ?? '';
    await page.goto(link);
    await page.getByRole('button', { name: /^Sign in as/ }).click();
    await page.getByText('Nothing here yet').waitFor();
    const again = await page.goto(link);
    assert.equal(again?.status(), 404);
  });

  it('shows a push from its first line to the running dyno', async () => {
    await page.goto(at('/'));
    const pushing = paas.deploy(folder);
    await page.getByRole('link', { name: /shop/ }).click({ timeout: 20_000 });
    await page.getByRole('link', { name: 'Builds', exact: true }).last().click();
    await page.getByRole('link', { name: /^#\d+$/ }).click({ timeout: 20_000 });
    await page.getByText('Building on the Debian 12 stack').waitFor();
    await pushing;
    await page.locator('.log').getByText('Released v1').waitFor();
    await page.locator('#build-status .state-succeeded').waitFor();
    const lines = await page.locator('.log .text').allTextContents();
    assert.equal(lines.filter((line) => line.includes('Released v1')).length, 1);
  });

  it('scales a type up and down, and shows each dyno start', async () => {
    await page.goto(at('/apps/shop'));
    await page.getByRole('spinbutton', { name: 'web' }).fill('2');
    await page.getByRole('button', { name: 'Scale' }).click();
    await page.getByText('2 of 2 up').waitFor({ timeout: 20_000 });
    assert.match(await paas.paas('ps -a shop'), /web\.2: up/);
    await page.getByRole('spinbutton', { name: 'web' }).fill('1');
    await page.getByRole('button', { name: 'Scale' }).click();
    await page.locator('.dyno-name', { hasText: 'web.2' }).waitFor({ state: 'detached', timeout: 40_000 });
  });

  it('shows log lines as the app and the router write them', async () => {
    await page.goto(at('/apps/shop/logs'));
    await page.getByText('Live', { exact: true }).waitFor();
    const path = `/canary-${Math.random().toString(36).slice(2)}`;
    await paas.get('shop', path);
    await page.getByText(`path="${path}"`).waitFor();
  });

  it('sets a config var of several lines, which makes a release, and rolls back', async () => {
    await page.goto(at('/apps/shop/config'));
    await page.getByLabel('Name').fill('NOTE');
    await page.getByLabel('Value').fill('one\ntwo "three"');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText(/Set NOTE|Setting NOTE/).waitFor();
    await waitFor(async () => /v2/.test(await paas.paas('releases -a shop')));
    assert.deepEqual(JSON.parse(await paas.paas('config -a shop --json')), { NOTE: 'one\ntwo "three"' });
    await page.goto(at('/apps/shop/releases'));
    page.once('dialog', (dialog) => dialog.accept());
    await page.getByRole('button', { name: 'Roll back to v1' }).click();
    await waitFor(async () => /v3/.test(await paas.paas('releases -a shop')));
    assert.deepEqual(JSON.parse(await paas.paas('config -a shop --json')), {});
  });

  it('begins a release with some visitors, and gives it to all', async () => {
    await page.goto(at('/apps/shop/releases'));
    await page.getByLabel('Percent of the visitors').fill('10');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('#main').getByText('The next push begins with 10% of the visitors.').last().waitFor();
    await paas.commit(folder, 'canary');
    await paas.deploy(folder);
    await page.reload();
    await page.getByText(/^v\d+ gets 10% of the visitors: /).waitFor();
    await page.getByRole('button', { name: /^Give v\d+ to all$/ }).click();
    await page.getByText(/^All visitors get v\d+ now\.$/).waitFor({ timeout: 20_000 });
    assert.equal(JSON.parse(await paas.paas('releases:canary shop --json')).release, null);
    await paas.paas('releases:canary off -a shop');
  });

  it('adds a cron job, runs it, and shows what came of it', async () => {
    await page.goto(at('/apps/shop/cron'));
    await page.getByLabel('Schedule').fill('soon');
    await page.getByLabel('Command').fill('exit 3');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByText('"soon" is no schedule').waitFor();
    await page.getByLabel('Schedule').fill('0 3 1 1 *');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByRole('button', { name: /^Run now/ }).click();
    await page.getByText(/^Job \S+ runs in cron\.\d+\.$/).waitFor();
    await waitFor(
      async () => (await page.reload()) !== null && (await page.getByText('status 3').isVisible()),
    );
  });

  it('shows the routing and health checks of an app, closes it for visitors, and opens it again', async () => {
    await paas.paas('checks:set shop readiness --path / --wait 1');
    await paas.paas('redirects:add old.example.com new.example.com -a shop');
    await page.goto(at('/apps/shop/checks'));
    await page.getByRole('button', { name: 'Run each once on each web dyno' }).click();
    await page.getByText('web.1, readiness check: ok').waitFor();
    await page.getByRole('link', { name: 'Routing' }).click();
    await page.getByRole('row', { name: 'old.example.com new.example.com 301' }).waitFor();
    await page.getByRole('button', { name: 'Close for visitors' }).click();
    await page.getByText('Visitors see the maintenance page.', { exact: true }).waitFor();
    assert.equal((await paas.get('shop')).status, 503);
    await page.getByRole('button', { name: 'Let visitors in' }).click();
    await page.getByText('Visitors are let in again.').waitFor();
    assert.equal((await paas.get('shop')).status, 200);
    await page.getByRole('link', { name: 'Webhooks' }).click();
    await page.getByLabel('Address').fill('http://127.0.0.1/');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.getByText(/which webhooks may not reach/).waitFor();
  });

  it('comes back with its open page when control was killed', async () => {
    await page.goto(at('/apps/shop/logs'));
    await page.getByText('Live', { exact: true }).waitFor();
    await paas.kill('control');
    const path = `/after-${Math.random().toString(36).slice(2)}`;
    await waitFor(async () => (await paas.get('paas', '/login')).status === 200);
    await paas.get('shop', path);
    await page.getByText(`path="${path}"`).waitFor({ timeout: 30_000 });
  });

  it('destroys the app', async () => {
    await page.goto(at('/apps/shop/settings'));
    await page.getByLabel('Type shop to confirm').fill('shop');
    await page.getByRole('button', { name: 'Destroy' }).click();
    await page.getByText(/Destroy(ed|ing) shop/).waitFor();
    await waitFor(async () => !(await paas.paas('apps')).includes('shop'));
  });
});

async function waitFor(isTrue: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await setTimeout(200)) {
    if (await isTrue().catch(() => false)) return;
  }
  throw new Error('It did not become true within 60 s.');
}
