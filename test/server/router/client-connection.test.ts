import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, afterEach, before, describe, it } from 'mocha';
import { clientOf } from '../../../server/router/client-counts.ts';
import { eventually, RawBackend, RawClient, sendRaw, TestRouter } from './router-fixture.ts';

const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n';
const LAST = 'GET /last HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n';

describe('ClientConnection', () => {
  let router: TestRouter;
  let backend: RawBackend;
  before(async () => {
    router = await TestRouter.start({ headTime: 3000, idleClient: 3000, requestHead: 32 * 1024 });
    backend = await RawBackend.start();
    router.serve([backend.port]);
  });
  after(async () => {
    await router.stop();
    await backend.stop();
  });
  afterEach(() => backend.received.fill(''));

  it('answers requests that come together, in their order', async () => {
    const answer = await sendRaw(router.port, `${GET}${GET}${LAST}`);
    assert.equal(answer.match(/HTTP\/1\.1 200 OK/g)?.length, 3);
    assert.match(backend.all, /GET \/ .*GET \/ .*GET \/last /s);
  });

  it('answers requests that come byte by byte', async () => {
    const answer = await sendRaw(router.port, [...LAST], { pause: 1 });
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
  });

  it('answers thousands of requests at once without piling up calls', async () => {
    const unknown = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(5000);
    const answer = await sendRaw(router.port, unknown + LAST);
    assert.equal(answer.match(/HTTP\/1\.1 404 /g)?.length, 5000);
    assert.match(answer, /200 OK\r\n.*ok$/s);
  });

  it('skips one empty line before a request, not two', async () => {
    assert.match(await sendRaw(router.port, `\r\n${LAST}`), /^HTTP\/1\.1 200 /);
    assert.match(await sendRaw(router.port, `\r\n\r\n${LAST}`), /^HTTP\/1\.1 400 /);
  });

  it('answers a client that has half-closed', async () => {
    assert.match(await sendRaw(router.port, GET, { end: true }), /^HTTP\/1\.1 200 .*ok$/s);
  });

  const refused: [what: string, text: string, status: number][] = [
    ['HTTP/0.9, without waiting for more', 'GET /\r\n', 400],
    ['lines that end in LF alone', 'GET / HTTP/1.1\nHost: app.localhost\n\n', 400],
    ['a TLS greeting', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', 400],
    ['a request line without end', `GET /${'a'.repeat(40_000)}`, 414],
    ['fields without end', `GET / HTTP/1.1\r\nHost: app.localhost\r\n${'a: bcdefgh\r\n'.repeat(4000)}`, 431],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ];
  for (const [what, text, status] of refused) {
    it(`refuses ${what}: ${status} and close`, async () => {
      const answer = await sendRaw(router.port, text);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*\r\nConnection: close\r\n`));
      assert.equal(backend.all, '');
    });
  }

  // What would reach the app as a second request if the router read the first one's end elsewhere.
  const hidden = 'GET /hidden HTTP/1.1\r\nHost: app.localhost\r\n\r\n';
  const smuggled: [what: string, text: string][] = [
    [
      'CL.TE',
      `POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: ${5 + hidden.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    [
      'TE.CL',
      `POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2f\r\n${hidden}\r\n0\r\n\r\n`,
    ],
    [
      'TE.TE',
      `POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    [
      'CL.CL',
      `POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 0\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    ],
    [
      'TE.0 with a space',
      `POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    [
      'TE with a tab',
      `POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    [
      'TE folded',
      `POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    [
      'TE in HTTP/1.0',
      `POST / HTTP/1.0\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    [
      'a length behind a bare CR',
      `POST / HTTP/1.1\r\nHost: app.localhost\r\nA: b\rContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    ],
    [
      'a chunk size that overflows',
      `POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n0\r\n\r\n${hidden}`,
    ],
    [
      'a chunk line that ends in LF',
      `POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n${hidden}`,
    ],
    [
      'a bare LF in a chunk extension',
      `POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\n31\r\n0\r\n\r\n${hidden}\r\n0\r\n\r\n`,
    ],
    [
      'a length named by Connection',
      `POST / HTTP/1.1\r\nHost: app.localhost\r\nConnection: content-length\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    ],
  ];
  for (const [what, text] of smuggled) {
    it(`lets no hidden request through: ${what}`, async () => {
      const answer = await sendRaw(router.port, text);
      assert.match(answer, /^HTTP\/1\.1 400 /);
      assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1);
      assert.ok(!backend.all.includes('/hidden'));
    });
  }

  it('would be caught letting one through: the same bytes without the router arrive whole', async () => {
    const socket = connect(backend.port, '127.0.0.1');
    socket.end(smuggled[0]![1], 'latin1');
    await new Promise((resolve) => socket.on('close', resolve).resume());
    assert.ok(backend.all.includes('/hidden'));
  });

  it('passes on a body that looks like a request as a body', async () => {
    const body = `POST /form HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`;
    await sendRaw(router.port, body);
    assert.equal(backend.received.filter((text) => text !== '').length, 1);
    assert.ok(backend.all.endsWith(`\r\n\r\n${hidden}`));
  });

  it('answers 408 to a head that does not end', async () => {
    assert.match(await sendRaw(router.port, 'GET / HTTP/1.1\r\nHost: app'), /^HTTP\/1\.1 408 /);
  });

  it('closes a connection that was idle too long, without a word', async () => {
    const client = await RawClient.connect(router.port);
    client.send(GET);
    await client.until(/ok$/);
    const before = client.received;
    assert.equal(await client.closed(), before);
  });
});

describe('ProxyServer', () => {
  it('makes room for a new connection at the cost of an idle one', async () => {
    const router = await TestRouter.start({ connections: 2 });
    const clients = [await RawClient.connect(router.port), await RawClient.connect(router.port)];
    router.serve([]);
    clients[1]!.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await clients[1]!.until(/404/);
    assert.match(await sendRaw(router.port, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /404/);
    await clients[0]!.closed();
    for (const client of clients) client.close();
    await router.stop();
  });

  it('refuses connections of a client that has its share, and takes those of others', async () => {
    const router = await TestRouter.start({ connectionsPerClient: 2 });
    router.serve([]);
    const own = [await RawClient.connect(router.port), await RawClient.connect(router.port)];
    const third = await RawClient.connect(router.port);
    assert.equal(await third.closed(), '');
    const other = connect({ port: router.port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    other.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = await once(other, 'data');
    assert.match(String(answer), /^HTTP\/1\.1 404 /);
    own[0]!.close();
    await eventually(() => (router.connections === 2 ? true : undefined), 'room for one more');
    const next = await RawClient.connect(router.port);
    next.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await next.until(/404/);
    for (const client of [...own, next]) client.close();
    other.destroy();
    await router.stop();
  });
});

describe('clientOf()', () => {
  it('is an IPv4 address, or the first 64 bits of an IPv6 address', () => {
    assert.equal(clientOf('10.0.0.1'), '10.0.0.1');
    assert.equal(clientOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2');
    assert.equal(clientOf('2001:db8::1'), '2001:db8:0:0');
    assert.equal(clientOf('::1'), '0:0:0:0');
  });
});
