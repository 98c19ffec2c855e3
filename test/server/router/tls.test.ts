import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect, createSecureContext, createServer, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { after, afterEach, before, describe, it } from 'mocha';
import type { RouteTable } from '../../../server/router/route-table.ts';
import { delay, eventually, RawBackend, RawClient, sendRaw, TestRouter, tableOf } from './router-fixture.ts';
import { type Pair, TestAuthority } from './tls-fixture.ts';

const run = promisify(execFile);
/** Of curl (curl(1), EXIT CODES). */
const RECEIVE_ERROR = 56;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('HTTPS', function () {
  this.timeout(30_000);
  let authority: TestAuthority;
  let own: Pair;
  let wild: Pair;
  let backend: RawBackend;
  let router: TestRouter;
  const cleanups: (() => unknown)[] = [];

  before(async () => {
    authority = new TestAuthority();
    own = authority.issue('app.localhost');
    wild = authority.issue('*.example.com');
    backend = await RawBackend.start((socket, text) => {
      if (/\r\n\r\n(.*)$/s.test(text)) socket.write(text.includes('GET /ws') ? UPGRADED : OK);
    });
  });
  after(async () => {
    await backend.stop();
    authority.remove();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
    await router.stop();
  });

  async function start(
    table: Partial<RouteTable> = {},
    app: Parameters<typeof tableOf>[1] = {},
    limits: Parameters<typeof TestRouter.start>[0] = {},
  ): Promise<void> {
    router = await TestRouter.start(limits);
    await router.listenTls();
    swap(table, app);
  }

  function swap(table: Partial<RouteTable> = {}, app: Parameters<typeof tableOf>[1] = {}): void {
    const certificates = [
      { hosts: ['app.localhost'], ...own },
      { hosts: ['*.example.com'], ...wild },
    ];
    const routes = tableOf([backend.port], { hosts: ['app.localhost', '*.example.com'], ...app });
    router.routes.swap({ ...routes, certificates, ...table });
  }

  async function curl(path: string, ...args: string[]): Promise<string> {
    const url = `https://app.localhost:${router.tlsPort}${path}`;
    const { stdout } = await run('curl', ['-si', '--http1.1', '--cacert', authority.file, ...args, url]);
    return stdout;
  }

  /** A client that trusts the authority and has shaken hands. */
  async function client(options: ConnectionOptions = {}): Promise<TLSSocket> {
    const socket = connect({
      port: router.tlsPort,
      host: '127.0.0.1',
      servername: 'app.localhost',
      ca: authority.certificate,
      ...options,
    });
    cleanups.push(() => socket.destroy());
    await once(socket, 'secureConnect');
    return socket;
  }

  it('answers a real client, and tells the dyno by which way it came', async () => {
    await start();
    assert.match(await curl('/secure'), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok$/);
    const request = backend.received.find((text) => text.includes('GET /secure'))!;
    assert.match(request, /\r\nX-Forwarded-Proto: https\r\n/);
    assert.match(request, new RegExp(`\r\nX-Forwarded-Port: ${router.tlsPort}\r\n`));
    await router.line(/path="\/secure" .* protocol=https$/);
  });

  it('takes TLS 1.2 with forward secrecy and TLS 1.3, nothing weaker', async () => {
    await start();
    const protocolOf = async (options: ConnectionOptions) => (await client(options)).getProtocol();
    assert.equal(await protocolOf({}), 'TLSv1.3');
    assert.equal(await protocolOf({ maxVersion: 'TLSv1.2' }), 'TLSv1.2');
    const weak: ConnectionOptions[] = [
      { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
      { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256:AES256-SHA256' },
      { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA' },
    ];
    for (const options of weak) await assert.rejects(client(options), /alert|EPROTO|handshake/);
  });

  it('renegotiates with nobody', async () => {
    await start();
    const socket = await client({ maxVersion: 'TLSv1.2' });
    let done: Error | null | undefined;
    socket.on('error', (error) => {
      done = error;
    });
    socket.renegotiate({}, (error) => {
      done = error;
    });
    await delay(200);
    assert.notEqual(done, null);
  });

  it('shows an exact certificate before a wildcard, and none for a name that nobody has one for', async () => {
    await start({
      certificates: [
        { hosts: ['*.example.com'], ...wild },
        { hosts: ['app.localhost', 'a.example.com'], ...own },
      ],
    });
    const nameOf = async (servername: string) =>
      (await client({ servername, rejectUnauthorized: false })).getPeerCertificate().subject.CN;
    assert.equal(await nameOf('a.example.com'), 'app.localhost');
    assert.equal(await nameOf('b.example.com'), '*.example.com');
    assert.equal(await nameOf('B.EXAMPLE.com'), '*.example.com');
    for (const servername of ['example.com', 'a.b.example.com', 'paas.localhost', 'other.test']) {
      await assert.rejects(nameOf(servername), /unrecognized name/);
    }
    await assert.rejects(nameOf(''), /unrecognized name/);
  });

  it('leaves out a certificate whose key does not fit, and says so once', async () => {
    await start();
    const lines: string[] = [];
    const { error } = console;
    console.error = (line: string) => lines.push(line);
    cleanups.push(() => {
      console.error = error;
    });
    swap({
      certificates: [
        { hosts: ['a.example.com'], chain: own.chain, key: wild.key },
        { hosts: ['b.example.com'], chain: 'nonsense', key: '' },
        { hosts: ['*.example.com'], ...wild },
        { hosts: ['app.localhost'], chain: own.chain, key: wild.key },
      ],
    });
    for (const servername of ['a.example.com', 'a.example.com', 'b.example.com']) {
      const socket = await client({ servername });
      assert.equal(socket.getPeerCertificate().subject.CN, '*.example.com');
    }
    await assert.rejects(client(), /unrecognized name/);
    assert.equal(lines.length, 2);
    assert.match(lines[0]!, /^router: the certificate of "a\.example\.com" cannot be used: .*mismatch/);
    assert.doesNotMatch(lines.join(), /PRIVATE|BEGIN/);
  });

  it('shows a new certificate at once, and keeps connections that are there', async () => {
    await start();
    const before = await client();
    const renewed = authority.issue('app.localhost');
    swap({ certificates: [{ hosts: ['app.localhost'], ...renewed }] });
    const after = await client();
    assert.notEqual(after.getPeerCertificate().serialNumber, before.getPeerCertificate().serialNumber);
    before.write('GET /kept HTTP/1.1\r\nHost: app.localhost\r\n\r\n');
    assert.match(String(await once(before, 'data')), /^HTTP\/1\.1 200/);
  });

  it('takes 10,000 certificates, and makes something of those that are asked for alone', async () => {
    await start();
    const hosts = Array.from({ length: 10_000 }, (_, i) => `a${i}.localhost`);
    const certificates = hosts.map((host) => ({
      hosts: [host],
      chain: `${own.chain}\n${host}\n`,
      key: own.key,
    }));
    const few = 20;
    const making = performance.now();
    for (let made = 0; made < few; made++) createSecureContext({ cert: own.chain, key: own.key });
    const contextsTake = ((performance.now() - making) / few) * hosts.length;
    const before = process.memoryUsage();
    const started = performance.now();
    swap({ certificates }, { hosts });
    const took = performance.now() - started;
    await client({ servername: 'a9999.localhost', checkServerIdentity: () => undefined });
    const after = process.memoryUsage();
    assert.ok(took < contextsTake / 4, `${took} ms, where their contexts take ${contextsTake}`);
    assert.ok(after.rss - before.rss < 100_000_000, `${after.rss - before.rss} bytes`);
  });

  it('resumes a session by its ticket, which comes with each, also with a resumed one', async () => {
    await start();
    const ticketOf = async (socket: TLSSocket) => {
      const ticket = once(socket, 'session') as Promise<[Buffer]>;
      socket.write('GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n');
      return (await ticket)[0];
    };
    let session: Buffer | undefined;
    for (const isReused of [false, true, true, true]) {
      const socket = await client({ session });
      assert.equal(socket.isSessionReused(), isReused);
      session = await ticketOf(socket);
    }
    const first = await client({ maxVersion: 'TLSv1.2' });
    const again = await client({ maxVersion: 'TLSv1.2', session: first.getSession() });
    assert.equal(again.isSessionReused(), true);
  });

  it('answers 421 to a request for another app than the one that TLS was opened for', async () => {
    await start();
    const { apps, ...rest } = tableOf([backend.port], { hosts: ['app.localhost', '*.example.com'] });
    const other = { app: 'other', hosts: ['other.localhost'], state: 'up' as const, dynos: [] };
    const certificates = [{ hosts: ['app.localhost'], ...own }];
    router.routes.swap({ ...rest, apps: [...apps, other], certificates });
    const statusOf = async (host: string) =>
      /^HTTP\/1\.1 (\d+)/.exec(await curl('/', '-H', `Host: ${host}`))?.[1];
    assert.equal(await statusOf('APP.localhost.'), '200');
    assert.equal(await statusOf('a.example.com'), '200');
    for (const host of ['other.localhost', 'paas.localhost', 'nobody.test']) {
      assert.equal(await statusOf(host), '421', host);
    }
  });

  it('carries a WebSocket', async () => {
    await start();
    const socket = await client();
    socket.write(
      'GET /ws HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    assert.match(String(await once(socket, 'data')), /^HTTP\/1\.1 101 /);
    socket.write('bytes');
    await eventually(() => backend.all.endsWith('bytes') || undefined, 'the bytes');
  });

  it('passes a large body both ways, no faster than either side reads', async () => {
    const body = randomBytes(20_000_000);
    const large = await RawBackend.start((socket, text) => {
      if (text.length < body.length) return;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.write(body);
    });
    cleanups.push(() => large.stop());
    await start();
    router.routes.swap({ ...tableOf([large.port]), certificates: [{ hosts: ['app.localhost'], ...own }] });
    const socket = await client();
    socket.write(`POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: ${body.length}\r\n\r\n`);
    socket.write(body);
    const pieces: Buffer[] = [];
    let came = 0;
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      if (came === 0) await delay(100);
      pieces.push(chunk);
      came += chunk.length;
      if (came > body.length) break;
    }
    const answer = Buffer.concat(pieces);
    assert.ok(answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(body));
    assert.ok(large.all.endsWith(body.toString('latin1')));
  });

  it('answers requests that come at once in their order', async () => {
    const echo = await RawBackend.start((socket, text) => {
      const [, path] = /GET (\S+) HTTP\/1\.1\r\n(?!.*GET)/s.exec(text)!;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path!.length}\r\n\r\n${path}`);
    });
    cleanups.push(() => echo.stop());
    await start();
    router.routes.swap({ ...tableOf([echo.port]), certificates: [{ hosts: ['app.localhost'], ...own }] });
    const socket = await client();
    const paths = Array.from({ length: 300 }, (_, i) => `/${i}`);
    socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: app.localhost\r\n\r\n`).join(''));
    let text = '';
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      text += chunk;
      if (text.endsWith('/299')) break;
    }
    assert.deepEqual(text.match(/\/\d+(?=HTTP|$)/g), paths);
  });

  it('tells that the last answer was all, and waits for no client that keeps its side open', async () => {
    await start({}, {}, { linger: 60_000 });
    const raw = connectTcp({ port: router.tlsPort, host: '127.0.0.1', allowHalfOpen: true });
    const socket = await client({ socket: raw });
    socket.write('GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n');
    assert.match(String(await once(socket, 'data')), /\r\n\r\nok$/);
    await eventually(() => router.connections === 0 || undefined, 'the end of the connection');
  });

  it('lets nobody take what was cut off for the end of an answer without a length', async () => {
    const body = 'x'.repeat(900_000);
    const old = await RawBackend.start((socket, text) => {
      socket.write(`HTTP/1.1 200 OK\r\n\r\n${body}`);
      if (text.startsWith('GET /whole')) socket.end();
      else setTimeout(() => socket.resetAndDestroy(), 50);
    });
    cleanups.push(() => old.stop());
    await start();
    router.routes.swap({ ...tableOf([old.port]), certificates: [{ hosts: ['app.localhost'], ...own }] });
    const slowly = ['--http1.0', '--limit-rate', '2M'];
    const whole = await curl('/whole', ...slowly);
    assert.ok(whole.endsWith(`\r\n\r\n${body}`), `${whole.length} bytes`);
    await assert.rejects(curl('/cut', ...slowly), { code: RECEIVE_ERROR });
  });

  it('outlives clients that break TLS, or go away in the middle of an answer', async () => {
    const endless = await RawBackend.start((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n');
      const more = () => socket.writable && socket.write(Buffer.alloc(100_000), more);
      more();
    });
    cleanups.push(() => endless.stop());
    await start();
    router.routes.swap({
      ...tableOf([endless.port]),
      certificates: [{ hosts: ['app.localhost'], ...own }],
    });
    for (const kind of ['garbage', 'reset', 'end'] as const) {
      const raw = connectTcp(router.tlsPort, '127.0.0.1');
      const socket = await client({ socket: raw });
      socket.on('error', () => {});
      socket.write('GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n');
      await once(socket, 'data');
      if (kind === 'garbage') raw.write('no record of TLS at all');
      else if (kind === 'reset') raw.resetAndDestroy();
      else socket.end();
      socket.resume();
      await eventually(() => router.connections === 0 || undefined, `no connection after ${kind}`);
    }
    swap();
    assert.match(await curl('/'), /^HTTP\/1\.1 200/);
  });

  describe('what is no proper beginning', () => {
    const probe = async (bytes: Buffer | string) => {
      const socket = connectTcp(router.tlsPort, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(bytes);
      const pieces: Buffer[] = [];
      socket.on('data', (piece: Buffer) => pieces.push(piece));
      await once(socket, 'close');
      return Buffer.concat(pieces);
    };

    it('gets an alert, or a hint if it is HTTP', async () => {
      await start();
      assert.match(
        String(await probe('GET / HTTP/1.1\r\n\r\n')),
        /^HTTP\/1\.1 400 [\s\S]*HTTPS is spoken here/,
      );
      for (const bytes of ['\0\0\0\0\0\0', 'SSH-2.0-x\r\n', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])]) {
        assert.deepEqual([...(await probe(bytes))], [21, 3, 3, 0, 2, 2, 50]);
      }
    });

    it('is closed when it does not go on', async () => {
      await start({}, {}, { handshake: 200 });
      const started = Date.now();
      await Promise.all([probe(''), probe(Buffer.from([22])), probe(Buffer.from([22, 3, 1, 2, 0, 1]))]);
      assert.ok(Date.now() - started < 3000);
      await eventually(() => router.connections === 0 || undefined, 'no connections');
    });

    it('does not count as idle until it is there: 300 half-open handshakes hold up nobody', async () => {
      await start({}, {}, { handshake: 400 });
      const half = Array.from({ length: 300 }, () => probe(Buffer.from([22, 3, 1, 2, 0, 1, 0])));
      assert.match(await curl('/'), /^HTTP\/1\.1 200/);
      await Promise.all(half);
    });
  });

  describe('challenges of certificate authorities', () => {
    const challenge = { host: 'app.localhost', token: 'to-ken_1', answer: 'to-ken_1.thumb' };
    const get = (path: string) =>
      sendRaw(router.port, `GET ${path} HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n`);

    it('are answered on HTTP before anything else', async () => {
      await start({ challenges: [challenge] }, { state: 'crashed', https: { redirect: true } });
      const path = '/.well-known/acme-challenge/';
      assert.match(await get(`${path}to-ken_1`), /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nto-ken_1\.thumb$/);
      assert.match(await get(`${path}other`), /^HTTP\/1\.1 503 /);
      assert.match(await get(`${path}to-ken_1/`), /^HTTP\/1\.1 503 /);
      const other = `GET ${path}to-ken_1 HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n`;
      assert.match(await sendRaw(router.port, other), /^HTTP\/1\.1 503 /);
    });

    it('by TLS get their own certificate, and nobody else does', async () => {
      const proof = authority.issue('app.localhost');
      await start({ challenges: [{ ...challenge, certificate: proof }] });
      const asked = await client({ ALPNProtocols: ['acme-tls/1'] });
      assert.equal(asked.alpnProtocol, 'acme-tls/1');
      const serial = asked.getPeerCertificate().serialNumber;
      assert.notEqual((await client()).getPeerCertificate().serialNumber, serial);
      await assert.rejects(
        client({ servername: 'a.example.com', ALPNProtocols: ['acme-tls/1'] }),
        /no application protocol/,
      );
    });
  });

  describe('what an app wants of HTTPS', () => {
    const ask = async (request: string) => {
      const client = await RawClient.connect(router.port);
      client.send(request);
      const answer = await client.until(/\r\n\r\n/);
      client.close();
      return answer;
    };

    it('leads visitors of HTTP there, with their path, where there is a certificate', async () => {
      await start({}, { https: { redirect: true }, hosts: ['app.localhost', 'bare.localhost'] });
      const location = `Location: https://app.localhost:${router.tlsPort}/a?b=c`;
      const got = await ask('GET /a?b=c HTTP/1.1\r\nHost: App.localhost:80\r\n\r\n');
      assert.match(got, /^HTTP\/1\.1 301 /);
      assert.ok(got.includes(`\r\n${location}\r\n`), got);
      const posted = await ask('POST /a HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 0\r\n\r\n');
      assert.match(posted, /^HTTP\/1\.1 308 /);
      assert.match(await ask('GET / HTTP/1.1\r\nHost: bare.localhost\r\n\r\n'), /^HTTP\/1\.1 200 /);
      assert.match(await curl('/'), /^HTTP\/1\.1 200 /);
      await router.line(/path="\/a\?b=c" .* status=301/);
    });

    it('says so to browsers on HTTPS alone, unless the app does', async () => {
      await start({}, { https: { redirect: false, hsts: 3600 } });
      assert.match(await curl('/'), /\r\nStrict-Transport-Security: max-age=3600\r\n/);
      const plain = await ask('GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n');
      assert.doesNotMatch(plain, /strict-transport/i);
      const strict = await RawBackend.start((socket) =>
        socket.end('HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 0\r\n\r\n'),
      );
      cleanups.push(() => strict.stop());
      router.routes.swap({
        ...tableOf([strict.port], { https: { redirect: false, hsts: 3600 } }),
        certificates: [{ hosts: ['app.localhost'], ...own }],
      });
      assert.deepEqual((await curl('/')).match(/max-age=\d+/g), ['max-age=1']);
    });
  });

  describe('passthrough', () => {
    async function secureApp(): Promise<number> {
      const server = createServer({ cert: wild.chain, key: wild.key }, (socket) => {
        socket.on('error', () => {});
        socket.on('data', (bytes) => socket.write(`${socket.remoteAddress} heard ${bytes}`));
        socket.on('end', () => socket.end());
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      cleanups.push(() => server.close());
      return (server.address() as { port: number }).port;
    }

    it("brings TLS to the app's own port unread", async () => {
      const port = await secureApp();
      await start({}, { passthrough: [{ host: 'own.example.com', port }] });
      const socket = await client({ servername: 'own.example.com' });
      socket.write('hello');
      assert.equal(String(await once(socket, 'data')), '127.0.0.1 heard hello');
      const other = await client({ servername: 'other.example.com' });
      other.write('GET / HTTP/1.1\r\nHost: other.example.com\r\n\r\n');
      assert.match(String(await once(other, 'data')), /^HTTP\/1\.1 200/);
      assert.deepEqual(
        router.routes.upstreams.inFlight().map(({ inFlight }) => inFlight),
        [1],
      );
      socket.end();
      await once(socket, 'close');
      await eventually(
        () => router.routes.upstreams.inFlight().length === 0 || undefined,
        'nothing in flight',
      );
    });

    it('waits for an app that sleeps, and closes where there is none', async () => {
      const port = await secureApp();
      const passthrough = [{ host: 'own.example.com', port }];
      await start({}, { passthrough, state: 'asleep' });
      const coming = client({ servername: 'own.example.com' });
      await delay(50);
      swap({}, { passthrough });
      await coming;
      swap({}, { passthrough, state: 'crashed' });
      await assert.rejects(client({ servername: 'own.example.com' }));
      swap({}, { passthrough: [{ host: 'own.example.com', port: 1 }] });
      await assert.rejects(client({ servername: 'own.example.com' }));
    });
  });
});

const UPGRADED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
