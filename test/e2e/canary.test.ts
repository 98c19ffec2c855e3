import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { Instance, whyNot } from './instance.ts';

describe('a canary', function () {
  this.timeout(240_000);
  let paas: Instance;
  let folder: string;

  before(async function () {
    if (whyNot()) return this.skip();
    paas = await Instance.start();
    folder = await paas.checkout('node-plain', 'shop');
    paas.write(folder, 'version.txt', 'one');
    await paas.commit(folder, 'one');
    await paas.deploy(folder);
  });

  after(async () => {
    await paas?.remove();
  });

  const visit = async (cookie = '') => {
    const { status, body, headers } = await paas.get('shop', '/', cookie === '' ? {} : { cookie });
    return { status, page: body.trim(), cookie: String(headers['set-cookie'] ?? '').split(';')[0]! };
  };
  const visitors = (count: number) => Promise.all(Array.from({ length: count }, () => visit()));

  it('gives a new release to its share of the visitors, each always the same', async () => {
    await paas.paas('releases:canary 50% -a shop');
    paas.write(folder, 'version.txt', 'two');
    await paas.commit(folder, 'two');
    assert.match(await paas.deploy(folder), /Released v2 to 50% of the visitors/);
    assert.match(await paas.paas('ps -a shop'), /canary\.1: up/);
    const first = await visitors(60);
    assert.deepEqual([...new Set(first.map(({ page }) => page))].sort(), ['one', 'two']);
    for (const { page, cookie } of first.slice(0, 10)) {
      const again = await visit(cookie);
      assert.equal(again.page, page);
      assert.equal(again.cookie, '');
    }
    await paas.paas('scale web=3 -a shop');
    const dynos: { name: string }[] = JSON.parse(await paas.paas('ps -a shop --json'));
    assert.deepEqual(
      dynos.map(({ name }) => name),
      ['web.1', 'web.2', 'web.3', 'canary.1', 'canary.2'],
    );
    await paas.paas('scale web=1 -a shop');
    assert.match(await paas.paas('releases -a shop'), /^v2 +Deploy [0-9a-f]{8} \(canary\)/m);
  });

  it('is taken up by the next control, and promoted without a failed request', async () => {
    await paas.kill('control');
    await sleep(1000);
    const load = await paas.countFailures('shop', { perSecond: 100 }, async () => {
      assert.match(await whenBack(() => paas.say('releases:promote -a shop')), /done, v2/);
    });
    assert.deepEqual(load.failures, []);
    const pages = await visitors(20);
    assert.deepEqual([...new Set(pages.map(({ page }) => page))], ['two']);
    assert.doesNotMatch(await paas.paas('ps -a shop'), /canary/);
  });

  it('is given up for a release that goes to all at once, and the events say so', async () => {
    await paas.commit(folder, 'between');
    const version = Number(/Released v(\d+) to 50%/.exec(await paas.deploy(folder))?.[1]);
    await paas.paas('config:set A=1 -a shop');
    assert.doesNotMatch(await paas.paas('ps -a shop'), /canary/);
    const told = new RegExp(
      `admin shop releases:abort: v${version} given up: v${version + 1} goes to all visitors\n`,
    );
    assert.match(await paas.paas('events -a shop'), told);
    assert.match(
      await paas.paas(`releases:info v${version} -a shop`),
      /^Status: +given up: some visitors got/m,
    );
    assert.match(await paas.paas('releases -a shop'), /^v3 +Deploy [0-9a-f]{8} \(given up\)/m);
    const back = await paas.ssh(`rollback v${version} -a shop`);
    assert.match(back.stderr, /v3 was given up as a canary: push its code again\./);
  });

  it('is given up by itself when too many of its requests fail', async () => {
    const server = `require('node:http').createServer((request, response) => {
      response.statusCode = 500;
      response.end('three');
    }).listen(process.env.PORT);`;
    paas.write(folder, 'server.js', server);
    await paas.commit(folder, 'three');
    await paas.deploy(folder);
    await visitors(100);
    await whenBack(async () => {
      assert.match(
        await paas.paas('releases:canary -a shop'),
        /^50% of the visitors, from the next push on$/m,
      );
    });
    const pages = await visitors(20);
    assert.deepEqual([...new Set(pages.map(({ status, page }) => `${status} ${page}`))], ['200 two']);
    assert.match(
      await paas.paas('events -a shop'),
      /canary shop releases:abort: v\d+ given up: \d+ of \d+ requests failed/,
    );
    const nothing = await paas.ssh('releases:abort -a shop');
    assert.match(nothing.stderr, /shop has no canary/);
  });
});

async function whenBack<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries > 40) throw error;
    }
    await sleep(500);
  }
}
