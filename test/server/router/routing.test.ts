import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { afterEach, describe, it } from 'mocha';
import type { AppRoute } from '../../../server/router/route-table.ts';
import { closedPort, RawBackend, RawClient, sendRaw, TestRouter, tableOf } from './router-fixture.ts';

describe('what an operator sets for an app, at the router', () => {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  async function start(
    app: Partial<AppRoute>,
    dynos = 1,
  ): Promise<{ router: TestRouter; backends: RawBackend[] }> {
    const router = await TestRouter.start();
    const backends = await Promise.all(Array.from({ length: dynos }, () => RawBackend.start()));
    cleanups.push(() => router.stop(), ...backends.map((backend) => () => backend.stop()));
    router.serve(
      backends.map(({ port }) => port),
      app,
    );
    return { router, backends };
  }

  /** The whole answer to one request, which has these fields. */
  function ask(
    router: TestRouter,
    { host = 'app.localhost', path = '/', fields = '' } = {},
  ): Promise<string> {
    return sendRaw(
      router.port,
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${fields}\r\n`,
    );
  }

  it("a wildcard has every name below but the platform's, a path only what is below it", async () => {
    const paths = [{ host: 'shop.example.com', path: '/blog', strip: false }];
    const { router, backends } = await start({ hosts: ['*.example.com'], paths });
    const other = await RawBackend.start();
    cleanups.push(() => other.stop());
    const table = tableOf([backends[0]!.port], { hosts: ['*.example.com'], paths });
    const [shop] = tableOf([other.port], { app: 'shop', hosts: ['shop.example.com'] }).apps;
    router.routes.swap({ ...table, apps: [...table.apps, shop!] });
    await ask(router, { host: 'A.B.Example.com.:80', path: '/1' });
    await ask(router, { host: 'shop.example.com', path: '/2' });
    await ask(router, { host: 'shop.example.com', path: '/blog/3?q' });
    assert.match(await ask(router, { host: 'example.com' }), /^HTTP\/1\.1 404 /);
    router.serve([backends[0]!.port], { hosts: ['*.localhost', 'app.localhost'] });
    assert.match(await ask(router, { host: 'other.localhost' }), /^HTTP\/1\.1 404 /);
    await ask(router, { host: 'app.localhost', path: '/4' });
    assert.deepEqual(targets(backends[0]!), ['/1', '/blog/3?q', '/4']);
    assert.deepEqual(targets(other), ['/2']);
  });

  it('a path can be stripped: the dyno sees the rest, and X-Forwarded-Prefix, once, also on a kept connection', async () => {
    const paths = [{ host: 'example.com', path: '/api', strip: true }];
    const { router, backends } = await start({ hosts: [], paths });
    for (const path of ['/api', '/api/', '/api/x?y=/api', '/api?z', '/api//evil']) {
      await ask(router, { host: 'example.com', path, fields: 'X-Forwarded-Prefix: /forged\r\n' });
    }
    assert.deepEqual(targets(backends[0]!), ['/', '/', '/x?y=/api', '/?z', '//evil']);
    assert.equal(backends[0]!.all.match(/^x-forwarded-prefix: \/api\r$/gim)?.length, 5);
    assert.doesNotMatch(backends[0]!.all, /forged/);
    await router.line(/path="\/api\/x\?y=\/api" host=example\.com .* dyno=web\.1 .* status=200/);
    assert.match(await ask(router, { host: 'example.com', path: '/apis' }), /^HTTP\/1\.1 404 /);
  });

  it('a redirect keeps path, query, port and scheme, and goes on over the same connection', async () => {
    const redirects = [
      { host: 'www.example.com', to: 'example.com', status: 301 },
      { host: '*.old.example.com', to: 'https://example.com', status: 308 },
    ];
    const { router } = await start({ redirects });
    const client = await RawClient.connect(router.port);
    client.send('GET /a?b=//c HTTP/1.1\r\nHost: www.example.com:8080\r\n\r\n');
    await client.until(
      /^HTTP\/1\.1 301 Moved Permanently\r\n[\s\S]*\r\nLocation: http:\/\/example\.com:8080\/a\?b=\/\/c\r\n[\s\S]*<\/html>\n$/,
    );
    client.send('GET //evil.example HTTP/1.1\r\nHost: a.old.example.com\r\n\r\n');
    await client.until(/HTTP\/1\.1 308 [\s\S]*\r\nLocation: https:\/\/example\.com\/\/evil\.example\r\n/);
    client.close();
    await router.line(
      /^at=info method=GET path="\/a\?b=\/\/c" host=www\.example\.com .* dyno= .* status=301 /,
    );
  });

  it('an allow list keeps out every address that is not on it, before a dyno hears of it', async () => {
    const { router, backends } = await start({ rules: { allow: ['10.0.0.0/8', '::1'] } });
    assert.match(
      await ask(router, { fields: 'X-Forwarded-For: 10.0.0.1\r\n' }),
      /^HTTP\/1\.1 403 Forbidden\r\n/,
    );
    router.serve([backends[0]!.port], { rules: { allow: ['10.0.0.0/8', '127.0.0.0/8'] } });
    assert.match(await ask(router), /^HTTP\/1\.1 200 /);
    assert.equal(backends[0]!.received.length, 1);
  });

  it('does not wake a sleeping app for one who may not come in', async () => {
    const { router } = await start({ state: 'asleep', rules: { allow: ['10.0.0.1'] } }, 0);
    assert.match(await ask(router), /^HTTP\/1\.1 403 /);
    let wakes = '';
    router.routes.wakes.follow({ on: () => {}, write: (text: string) => (wakes += text) } as never);
    assert.equal(wakes, '');
  });

  it('a rate limit holds over changes of the routes, and ends with its time', async () => {
    const rules = { rate: { requests: 1, milliseconds: 600, burst: 2 } };
    const { router, backends } = await start({ rules });
    assert.match(await ask(router), /^HTTP\/1\.1 200 /);
    assert.match(await ask(router), /^HTTP\/1\.1 200 /);
    router.serve([backends[0]!.port], { rules: structuredClone(rules) });
    assert.match(await ask(router), /^HTTP\/1\.1 429 Too Many Requests\r\n[\s\S]*\r\nRetry-After: 1\r\n/);
    await router.line(/^at=info .* status=429 /);
    await new Promise((resolve) => setTimeout(resolve, 650));
    assert.match(await ask(router), /^HTTP\/1\.1 200 /);
  });

  it('asks for a password, and lets those in who have it', async () => {
    const users = [{ name: 'ada', hash: hashOf('geheim:ü') }];
    const { router, backends } = await start({ rules: { users } });
    assert.match(
      await ask(router),
      /^HTTP\/1\.1 401 Unauthorized\r\n[\s\S]*\r\nWWW-Authenticate: Basic realm=/,
    );
    const right = authorization('ada', 'geheim:ü');
    for (const fields of [
      authorization('ada', 'geheim'),
      authorization('bob', 'geheim:ü'),
      authorization('constructor', ''),
      right + right,
      'Authorization: Bearer x\r\n',
      'Authorization: Basic YWRh\r\n',
    ]) {
      assert.match(await ask(router, { fields }), /^HTTP\/1\.1 401 /, fields);
    }
    assert.equal(backends[0]!.received.length, 0);
    assert.match(await ask(router, { fields: right }), /^HTTP\/1\.1 200 /);
    assert.match(await ask(router, { fields: right.replace('Basic', 'bASIC') }), /^HTTP\/1\.1 200 /);
  });

  it('passes a body on that came while the password was being checked', async () => {
    const users = [{ name: 'ada', hash: hashOf('geheim') }];
    const { router, backends } = await start({ rules: { users } });
    const client = await RawClient.connect(router.port);
    const head = `POST / HTTP/1.1\r\nHost: app.localhost\r\n${authorization('ada', 'geheim')}Content-Length: 8\r\n\r\n`;
    client.send(`${head}abcd`);
    client.send('\r\n\r\n');
    await client.until(/200 OK[\s\S]*ok$/);
    client.close();
    assert.match(backends[0]!.all, /\r\n\r\nabcd\r\n\r\n$/);
  });

  it('a name that nobody has takes the work of a wrong password', async () => {
    const users = [{ name: 'ada', hash: hashOf('geheim') }];
    const { router } = await start({ rules: { users } });
    // What is reckoned at the same time is bounded, and what is not reckoned is not.
    const flood = Array.from({ length: 60 }, (_, i) =>
      ask(router, { fields: authorization(`bob${i}`, 'x') }),
    );
    const statuses = (await Promise.all(flood)).map((answer) => answer.slice(9, 12));
    assert.deepEqual([...new Set(statuses)].sort(), ['401', '503']);
  });

  it('a flood of wrong passwords ends in 503, and holds nobody up who has signed in before', async () => {
    const users = [{ name: 'ada', hash: hashOf('geheim') }];
    const { router } = await start({ rules: { users } });
    const right = authorization('ada', 'geheim');
    await ask(router, { fields: right });
    const flood = Array.from({ length: 60 }, (_, i) => ask(router, { fields: authorization('ada', `${i}`) }));
    const began = performance.now();
    assert.match(await ask(router, { fields: right }), /^HTTP\/1\.1 200 /);
    assert.ok(performance.now() - began < 500);
    const statuses = (await Promise.all(flood)).map((answer) => answer.slice(9, 12));
    assert.deepEqual([...new Set(statuses)].sort(), ['401', '503']);
  });

  it("error pages of the app's own stand in for the router's", async () => {
    const errorPages = { 503: '<h1>Später</h1>', 403: '<h1>Nein</h1>' };
    const { router } = await start({ errorPages, state: 'stopped' }, 0);
    const answer = await ask(router);
    assert.match(answer, /^HTTP\/1\.1 503 /);
    assert.ok(Buffer.from(answer, 'latin1').toString().endsWith('\r\n\r\n<h1>Später</h1>'));
    router.serve([await closedPort()], { errorPages });
    assert.ok((await ask(router)).endsWith('</h1>'));
    router.serve([], { errorPages, state: 'maintenance', page: '<h1>Wartung</h1>' });
    assert.ok((await ask(router)).endsWith('<h1>Wartung</h1>'));
    router.serve([], { errorPages, rules: { allow: ['10.0.0.1'] } });
    assert.ok((await ask(router)).endsWith('<h1>Nein</h1>'));
  });

  it('a port of an app’s own leads to it alone, whatever the host, and is closed when it goes', async () => {
    const { router, backends } = await start({}, 2);
    const [web, admin] = backends as [RawBackend, RawBackend];
    const port = await closedPort();
    const dynos = [{ name: 'admin.1', address: '127.0.0.1', port: admin.port }];
    router.serve([web.port], { ports: [{ port, state: 'up', dynos }] });
    const askThere = (host: string) => askPort(port, host);
    assert.match(await askThere('app.localhost'), /^HTTP\/1\.1 200 /);
    assert.match(await askThere('anything.example'), /^HTTP\/1\.1 200 /);
    assert.match(await askThere('paas.localhost'), /^HTTP\/1\.1 200 /);
    assert.deepEqual(targets(admin), ['/app.localhost', '/anything.example', '/paas.localhost']);
    assert.match(admin.all, new RegExp(`^X-Forwarded-Port: ${port}\r$`, 'm'));
    assert.match(await ask(router), /^HTTP\/1\.1 200 /);
    assert.deepEqual(targets(web), ['/']);
    await router.line(/host=anything\.example .* dyno=admin\.1 /);
    router.serve([web.port], { ports: [{ port, state: 'crashed', dynos: [] }], errorPages: { 503: 'Gone' } });
    assert.match(await askThere('x'), /^HTTP\/1\.1 503 [\s\S]*Gone$/);
    router.serve([web.port], {});
    assert.equal(await askThere('x'), '');
  });

  it('listens on a port of an app’s own as soon as somebody else lets it go', async () => {
    const { router, backends } = await start({});
    const other = await RawBackend.start();
    const dynos = [{ name: 'web.1', address: '127.0.0.1', port: backends[0]!.port }];
    router.serve([], { ports: [{ port: other.port, state: 'up', dynos }] });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await other.stop();
    for (let tries = 0; tries < 40 && (await askPort(other.port, 'x')) === ''; tries++)
      await new Promise((resolve) => setTimeout(resolve, 100));
    assert.match(await askPort(other.port, 'x'), /^HTTP\/1\.1 200 /);
  });

  it('asks another dyno, once, where one closes without a word, and the request can be repeated', async () => {
    const router = await TestRouter.start();
    const closer = () => RawBackend.start((socket) => socket.end());
    const [first, second, good] = [await closer(), await closer(), await RawBackend.start()];
    cleanups.push(() => router.stop(), ...[first, second, good].map((backend) => () => backend.stop()));
    const requests = () => [first, second, good].map(({ received }) => received.length);
    router.serve([first.port, good.port]);
    for (let i = 0; i < 4; i++) assert.match(await ask(router), /^HTTP\/1\.1 200 /);
    assert.ok(first.received.length > 0);
    router.serve([first.port, second.port]);
    const before = first.received.length;
    assert.match(await ask(router), /^HTTP\/1\.1 503 /);
    await router.line(/code=H13 /);
    assert.deepEqual(requests().slice(0, 2), [before + 1, 1]);
    router.serve([second.port]);
    assert.match(await ask(router), /^HTTP\/1\.1 503 /);
    router.serve([second.port, good.port]);
    const post = 'POST / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
    const statuses = new Set(
      [await sendRaw(router.port, post), await sendRaw(router.port, post)].map((text) => text.slice(9, 12)),
    );
    assert.deepEqual([...statuses].sort(), ['200', '503']);
  });

  it('a visitor of a sticky app stays with a dyno, and gets another when that is gone', async () => {
    const { router, backends } = await start({ sticky: true }, 3);
    const first = await ask(router);
    const cookie =
      /\r\nSet-Cookie: (paas-dyno-[0-9a-f]{8}=web\.[123]); Path=\/; HttpOnly; SameSite=Lax\r\n/.exec(
        first,
      )?.[1];
    assert.ok(cookie, first);
    const fields = `Cookie: a=b; ${cookie}; c=d\r\n`;
    for (let i = 0; i < 9; i++) assert.doesNotMatch(await ask(router, { fields }), /Set-Cookie/);
    assert.deepEqual(
      backends.map((backend) => targets(backend).length).sort((a, b) => a - b),
      [0, 0, 10],
    );
    const other = `Cookie: ${cookie.replace(/\d$/, '9')}\r\n`;
    assert.match(await ask(router, { fields: other }), /\r\nSet-Cookie: /);
    router.serve([await closedPort(), backends[1]!.port], { sticky: true });
    const moved = await ask(router, { fields: `Cookie: ${cookie.replace(/\d$/, '1')}\r\n` });
    assert.match(moved, /^HTTP\/1\.1 200 [\s\S]*\r\nSet-Cookie: paas-dyno-\w+=web\.2;/);
    assert.equal(moved.match(/Set-Cookie/g)?.length, 1);
  });
});

/** The answer at a port; '': nobody listens. */
function askPort(port: number, host: string): Promise<string> {
  return sendRaw(port, `GET /${host} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`).catch(() => '');
}

/** What the dyno was asked for. */
function targets(backend: RawBackend): string[] {
  return [...backend.all.matchAll(/^GET (\S+) HTTP\/1\.1\r$/gm)].map(([, target]) => target!);
}

function hashOf(password: string): string {
  const salt = Buffer.from('0123456789abcdef');
  const hash = scryptSync(password, salt, 32, { cost: 16384, blockSize: 8, parallelization: 1 });
  return `scrypt:16384:8:1:${salt.toString('base64url')}:${hash.toString('base64url')}`;
}

function authorization(name: string, password: string): string {
  return `Authorization: Basic ${Buffer.from(`${name}:${password}`).toString('base64')}\r\n`;
}
