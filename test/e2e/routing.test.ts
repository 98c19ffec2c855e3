import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { type Answer, get, Instance, whyNot } from './instance.ts';

describe('how visitors are led to apps, and kept from them', function () {
  this.timeout(120_000);
  let paas: Instance;

  before(async function () {
    if (whyNot()) return this.skip();
    paas = await Instance.start();
    const folder = await paas.checkout('node-plain', 'site');
    paas.write(folder, 'server.js', SERVER);
    await paas.commit(folder, 'echo');
    await paas.deploy(folder);
    paas.write(folder, 'name.txt', 'backend');
    await paas.commit(folder, 'backend');
    await paas.git(folder, 'remote', 'set-url', 'paas', `ssh://paas@127.0.0.1:${paas.sshPort}/backend`);
    await paas.deploy(folder);
  });

  after(async () => {
    await paas?.remove();
  });

  /** Asks under any host name. */
  function visit(host: string, path = '/', headers: Record<string, string> = {}): Promise<Answer> {
    return get(paas.httpPort, { path, headers: { host, ...headers } });
  }

  it('domains: exact, wildcard, in Unicode, and a part of another one, stripped', async () => {
    await paas.paas('domains:add example.com -a site');
    await paas.paas('domains:add *.example.com -a site');
    await paas.paas('domains:add bücher.example -a site');
    await paas.paas('domains:add example.com/api --strip -a backend');
    for (const host of ['example.com', 'EXAMPLE.com.', 'a.b.example.com', 'xn--bcher-kva.example']) {
      assert.equal((await visit(host, '/x')).body, 'site web.1 /x -', host);
    }
    assert.equal((await visit('example.com', '/api/v1?q')).body, 'backend web.1 /v1?q /api');
    assert.equal((await visit('example.com', '/apis')).body, 'site web.1 /apis -');
    assert.equal((await visit('nobody.example')).status, 404);
    const taken = await paas.ssh('domains:add example.com -a backend');
    assert.equal(taken.status, 5);
    assert.match(taken.stderr, /belongs to another app/);
    assert.match(await paas.paas('domains -a site'), /^xn--bcher-kva\.example \(bücher\.example\) +added$/m);
  });

  it('redirects keep the path', async () => {
    await paas.paas('redirects:add www.example.com example.com -a site');
    const { status, headers } = await visit('www.example.com', '/a?b=c');
    assert.equal(status, 301);
    assert.equal(headers.location, 'http://example.com/a?b=c');
    await paas.waitForLog('site', /host=www\.example\.com .* status=301/, { flags: '-d router' });
  });

  it('http-auth, access and rate-limit keep visitors out before the app hears of them', async () => {
    const password = (await paas.paas('http-auth:add ada -a site')).trim();
    const right = { authorization: `Basic ${Buffer.from(`ada:${password}`).toString('base64')}` };
    const { status, headers } = await paas.get('site');
    assert.equal(status, 401);
    assert.match(String(headers['www-authenticate']), /^Basic /);
    assert.equal((await paas.get('site', '/', { authorization: 'Basic YWRhOng=' })).status, 401);
    assert.equal((await paas.get('site', '/', right)).status, 200);
    assert.equal((await paas.get('backend')).status, 200);
    await paas.paas('access:allow 192.0.2.0/24 -a site');
    assert.equal((await paas.get('site', '/', right)).status, 403);
    await paas.paas('access:allow 127.0.0.1 -a site');
    assert.equal((await paas.get('site', '/', right)).status, 200);
    await paas.paas('rate-limit:set 2/h -a site');
    const statuses = [
      await paas.get('site', '/', right),
      await paas.get('site', '/', right),
      await paas.get('site', '/', right),
    ];
    assert.deepEqual(
      statuses.map((answer) => answer.status),
      [200, 200, 429],
    );
    for (const command of ['rate-limit:clear', 'access:remove --all', 'http-auth:remove ada']) {
      await paas.paas(`${command} -a site`);
    }
    assert.equal((await paas.get('site')).status, 200);
  });

  it('an error page of its own stands in for the router’s', async () => {
    await paas.ssh('error-pages:set 503 - -a backend', { stdin: '<h1>Gleich zurück</h1>' });
    await paas.paas('scale web=0 -a backend');
    const { status, body } = await paas.get('backend');
    assert.equal(status, 503);
    assert.equal(body, '<h1>Gleich zurück</h1>');
    await paas.paas('scale web=1 -a backend');
    assert.equal((await paas.get('backend')).status, 200);
  });

  it('a sticky visitor stays with a dyno', async () => {
    await paas.paas('scale web=3 -a site');
    await paas.paas('ps:sticky on -a site');
    const first = await paas.get('site');
    const cookie = String(first.headers['set-cookie']).split(';')[0]!;
    assert.match(cookie, /^paas-dyno-[0-9a-f]{8}=web\.[123]$/);
    for (let i = 0; i < 6; i++) assert.equal((await paas.get('site', '/', { cookie })).body, first.body);
    await paas.paas('scale web=1 -a site');
    assert.equal((await paas.get('site', '/', { cookie })).body, 'site web.1 / -');
  });

  it('all of it outlives kill -9 of control and of the router', async () => {
    await paas.paas('access:allow 192.0.2.1 -a backend');
    await paas.kill('control');
    await paas.kill('router');
    const answers = async () => [
      (await visit('www.example.com')).status,
      (await visit('x.example.com')).status,
      (await visit('example.com', '/api')).status,
    ];
    assert.deepEqual(await answers(), [301, 200, 403]);
    while ((await paas.ssh('version')).status !== 0) await new Promise((resolve) => setTimeout(resolve, 100));
    await paas.paas('access:remove --all -a backend');
    assert.deepEqual(await answers(), [301, 200, 200]);
  });
});

/** Says which app and dyno it is, and what it sees. */
const SERVER = `
const { existsSync, readFileSync } = require('node:fs');
const name = existsSync('name.txt') ? readFileSync('name.txt', 'utf8') : 'site';
require('node:http').createServer((request, response) => {
  response.end([name, process.env.DYNO, request.url, request.headers['x-forwarded-prefix'] ?? '-'].join(' '));
}).listen(process.env.PORT);
`;
