import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
} from 'node:http2';
import { promisify } from 'node:util';
import { describe, it } from 'mocha';
import { END_HEADERS, END_STREAM, FRAME, frame, literals } from './http2-fixture.ts';
import { Http2Suite } from './http2-suite.ts';
import { closing, delay, eventually, type RawBackend, type TestRouter, tableOf } from './router-fixture.ts';

const run = promisify(execFile);
const APP = { ':authority': 'app.localhost' };
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('HTTP/2', function () {
  this.timeout(30_000);
  const suite = new Http2Suite('app.localhost', 'other.localhost');

  function start(
    answer: Parameters<typeof RawBackend.start>[0] = (socket, text) => {
      if (text.endsWith('\r\n\r\n')) socket.write(OK);
    },
    limits: Parameters<typeof TestRouter.start>[0] = {},
  ): Promise<void> {
    return suite.start(answer, limits, (port) => {
      const table = tableOf([port]);
      table.apps.push({ app: 'other', hosts: ['other.localhost'], state: 'up', dynos: [] });
      return table;
    });
  }

  interface Got {
    status: number | undefined;
    headers: IncomingHttpHeaders;
    body: string;
    trailers: IncomingHttpHeaders | undefined;
    code: number | undefined;
  }

  async function finish(stream: ClientHttp2Stream): Promise<Got> {
    const got: Got = { status: undefined, headers: {}, body: '', trailers: undefined, code: undefined };
    stream.setEncoding('latin1');
    stream.on('response', (headers) => {
      got.status = headers[':status'];
      got.headers = headers;
    });
    stream.on('trailers', (trailers) => {
      got.trailers = trailers;
    });
    stream.on('data', (piece: string) => {
      got.body += piece;
    });
    stream.on('error', () => {});
    await once(stream, 'close').catch(() => {});
    got.code = stream.rstCode;
    return got;
  }

  function get(session: ClientHttp2Session, path: string, fields: OutgoingHttpHeaders = {}): Promise<Got> {
    return finish(session.request({ ':authority': 'app.localhost', ':path': path, ...fields }));
  }

  it('answers a real client; the dyno gets HTTP/1.1 and learns by which way it came', async () => {
    await start();
    const url = `https://app.localhost:${suite.router.tlsPort}/x?y`;
    const { stdout } = await run('curl', ['-si', '--http2', '--cacert', suite.authority.file, url]);
    assert.match(stdout, /^HTTP\/2 200 \r\ncontent-length: 2\r\ndate: [^\r]+\r\n\r\nok$/);
    assert.match(suite.backend.all, /^GET \/x\?y HTTP\/1\.1\r\nHost: app\.localhost:\d+\r\n/);
    assert.match(suite.backend.all, /\r\nX-Forwarded-Proto: https\r\n/);
    assert.match(suite.backend.all, new RegExp(`\r\nX-Forwarded-Port: ${suite.router.tlsPort}\r\n`));
    assert.match(suite.backend.all, /\r\nVia: 2\.0 paas\r\n/);
    await suite.router.line(
      /^at=info method=GET path="\/x\?y" host=app\.localhost .* status=200 bytes=2 protocol=https$/,
    );
  });

  it('brings the fields over, cookies as one, and none that are between neighbours', async () => {
    await start();
    const session = suite.open();
    const fields = {
      cookie: ['a=1', 'b=2'],
      'x-latin': '\u00fc',
      te: 'trailers',
      'x-forwarded-for': '192.0.2.1',
      x_forwarded_for: '192.0.2.2',
      'x-real-ip': '192.0.2.3',
    };
    assert.equal((await get(session, '/', fields)).status, 200);
    const [head] = suite.backend.all.split('\r\n\r\n');
    assert.match(head!, /\r\ncookie: a=1; b=2(\r\n|$)/);
    assert.match(head!, /\r\nx-latin: \u00fc(\r\n|$)/);
    assert.match(head!, /\r\nX-Forwarded-For: 192\.0\.2\.1, 127\.0\.0\.1\r\n/);
    assert.doesNotMatch(head!, /\r\n(te|x_forwarded_for|x-real-ip|transfer-encoding):/i);
  });

  it('gives each of 300 requests at once its own answer', async () => {
    await start((socket, text) => {
      const paths = text.match(/GET (\S+)/g)!;
      const path = paths.at(-1)!.slice(4);
      if (text.endsWith('\r\n\r\n')) {
        setTimeout(() => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`), 5);
      }
    });
    const session = suite.open();
    await once(session, 'remoteSettings');
    const all = Array.from({ length: 300 }, (_, i) => get(session, `/${i}`));
    for (const [i, { body, code }] of (await Promise.all(all)).entries()) {
      assert.deepEqual([body, code], [`/${i}`, 0]);
    }
  });

  it('takes bodies with a length and without one, and their trailers', async () => {
    await start((socket, text) => {
      if (/\r\n\r\n(hello|.*\r\n0\r\n.*\r\n)$/s.test(text)) socket.end(OK);
    });
    const session = suite.open();
    const sized = session.request({ ...APP, ':method': 'POST', 'content-length': '5' });
    sized.end('hello');
    assert.equal((await finish(sized)).status, 200);
    assert.match(suite.backend.received[0]!, /\r\nContent-Length: 5\r\n[\s\S]*\r\n\r\nhello$/);
    const open1 = session.request({ ...APP, ':method': 'POST' }, { waitForTrailers: true });
    open1.on('wantTrailers', () => open1.sendTrailers({ 'x-sum': 'abc', 'x-forwarded-for': 'lie' }));
    open1.write('hel');
    open1.end('lo');
    assert.equal((await finish(open1)).status, 200);
    assert.match(suite.backend.received[1]!, /\r\nTransfer-Encoding: chunked\r\n/);
    assert.match(
      suite.backend.received[1]!,
      /\r\n\r\n(3\r\nhel\r\n2\r\nlo|5\r\nhello)\r\n0\r\nx-sum: abc\r\n\r\n$/,
    );
  });

  it('passes large bodies both ways, no faster than either side reads', async () => {
    const size = 4_000_000;
    const answered = new Map<unknown, number>();
    await start((socket, text) => {
      const came = Math.floor(text.length / size);
      if (came === (answered.get(socket) ?? 0)) return;
      answered.set(socket, came);
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      socket.write(Buffer.alloc(size, 'y'));
    });
    const session = suite.open();
    const stream = session.request({ ...APP, ':method': 'POST', 'content-length': size });
    stream.end(Buffer.alloc(size, 'x'));
    const { body, code } = await finish(stream);
    assert.deepEqual([body.length, code], [size, 0]);
    // A request beside one that nobody reads is not held up.
    const idle = session.request({ ...APP, ':method': 'POST', 'content-length': size });
    idle.on('error', () => {});
    idle.end(Buffer.alloc(size, 'x'));
    await once(idle, 'response');
    const other = session.request({ ...APP, ':method': 'POST', 'content-length': size });
    other.end(Buffer.alloc(size, 'x'));
    assert.equal((await finish(other)).body.length, size);
    idle.destroy();
  });

  it('takes chunks off a response and passes its trailers on, as gRPC has them', async () => {
    await start((socket, text) => {
      if (!text.endsWith('\r\n\r\n')) return;
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab',
      );
      setTimeout(() => socket.write('c\r\n0\r\nGrpc-Status: 0\r\nSet-Cookie: no=1\r\n\r\n'), 20);
    });
    const { status, body, trailers, headers } = await get(suite.open(), '/');
    assert.deepEqual([status, body, headers['transfer-encoding']], [200, 'abc', undefined]);
    assert.equal(trailers?.['grpc-status'], '0');
    assert.equal(trailers?.['set-cookie'], undefined);
  });

  it('passes trailers on of a response without a body', async () => {
    await start((socket, text) => {
      if (text.endsWith('\r\n\r\n'))
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\ngrpc-status: 5\r\n\r\n');
    });
    const { body, trailers } = await get(suite.open(), '/');
    assert.deepEqual([body, trailers?.['grpc-status']], ['', '5']);
  });

  const bodies: [what: string, answer: string, body: string][] = [
    ['one that ends with the connection', 'HTTP/1.0 200 OK\r\n\r\nto the end', 'to the end'],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
    ['304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n', ''],
    ['an empty one', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', ''],
    ['empty chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', ''],
    [
      'fields that are there twice',
      'HTTP/1.1 200 OK\r\nETag: a\r\nETag: b\r\nContent-Length: 1\r\n\r\nx',
      'x',
    ],
  ];
  for (const [what, answer, expected] of bodies) {
    it(`brings bodies over: ${what}`, async () => {
      await start((socket, text) => {
        if (text.endsWith('\r\n\r\n')) socket.end(answer);
      });
      const { body, code, status } = await get(suite.open(), '/');
      assert.deepEqual([body, code, status], [expected, 0, Number(answer.slice(9, 12))]);
    });
  }

  it('answers HEAD, and passes early hints on', async () => {
    await start((socket, text) => {
      if (text.startsWith('HEAD')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
      else if (text.endsWith('\r\n\r\n'))
        socket.end(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nLink: </b.css>\r\n\r\n${OK}`);
    });
    const session = suite.open();
    const head = await get(session, '/', { ':method': 'HEAD' });
    assert.deepEqual([head.status, head.headers['content-length'], head.body], [200, '5', '']);
    const stream = session.request({ ...APP, ':path': '/hints' });
    const hints = once(stream, 'headers');
    assert.equal((await finish(stream)).body, 'ok');
    assert.equal((await hints)[0].link, '</a.css>, </b.css>');
  });

  it('says what became of a request that failed, and resets one whose answer broke off', async () => {
    await start((socket, text) => {
      if (text.startsWith('GET /none')) socket.destroy();
      else if (text.startsWith('GET /short'))
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', () => socket.destroySoon());
      else if (text.startsWith('GET /more')) socket.write(`${OK}HTTP/1.1 200 OK\r\n`);
    });
    const session = suite.open();
    const none = await get(session, '/none');
    assert.equal(none.status, 503);
    assert.match(none.body, /Application error/);
    assert.notEqual((await get(session, '/short')).code, 0);
    assert.equal((await get(session, '/more')).status, 502);
    await suite.router.line(/code=H13 .*path="\/none"/);
    await suite.router.line(/code=H18 .*path="\/short"/);
    await suite.router.line(/code=H17 .*path="\/more"/);
  });

  it('lets go of the dyno when the client gives a request up: H27', async () => {
    await start(() => {});
    const stream = suite.open().request({ ...APP, ':path': '/given-up' });
    stream.on('error', () => {});
    await eventually(() => suite.backend.sockets[0], 'the request');
    stream.close(8);
    await closing(suite.backend.sockets[0]!);
    await suite.router.line(/code=H27 .*path="\/given-up"/);
  });

  it('answers early and does not want the rest of the request', async () => {
    await start((socket) => socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n'));
    const session = suite.open();
    const stream = session.request({ ...APP, ':method': 'POST' });
    stream.write('x');
    assert.equal((await finish(stream)).status, 413);
    assert.equal((await get(session, '/')).status, 413);
  });

  it('answers 421 for another app than the one that TLS was opened for', async () => {
    await start();
    const session = suite.open();
    assert.equal((await get(session, '/', { ':authority': 'other.localhost' })).status, 421);
    assert.equal((await get(session, '/', { ':authority': 'APP.localhost' })).status, 200);
  });

  it('closes what says nothing, request or connection', async () => {
    await start(() => {}, { silence: 100, idleClient: 300, firstByte: 100 });
    const session = suite.open();
    const stream = session.request({ ...APP, ':method': 'POST', ':path': '/slow' });
    assert.equal((await finish(stream)).status, 408);
    assert.equal((await get(session, '/')).status, 503);
    await once(session, 'close');
    await eventually(() => suite.router.connections === 0 || undefined, 'no connections');
  });

  it('leaves when the router does: requests that are there are answered', async () => {
    await start((socket, text) => {
      if (text.endsWith('\r\n\r\n')) setTimeout(() => socket.write(OK), 300);
    });
    const session = suite.open();
    const answer = get(session, '/');
    await eventually(() => suite.backend.received[0], 'the request');
    const goaway = once(session, 'goaway');
    const stopped = suite.router.stop();
    assert.equal((await goaway)[0], 0);
    assert.equal((await answer).body, 'ok');
    await stopped;
  });

  describe('malformed requests are reset and reach nobody:', () => {
    const PROPER: [string, string][] = [
      [':method', 'GET'],
      [':scheme', 'https'],
      [':authority', 'app.localhost'],
      [':path', '/evil'],
    ];
    const replaced = (name: string, value: string) =>
      PROPER.map(([known, old]): [string, string] => [known, known === name ? value : old]);
    const cases: [what: string, fields: [string, string][]][] = [
      ['a space in the path', replaced(':path', '/evil HTTP/1.1')],
      ['a path that is a URL', replaced(':path', 'http://other.localhost/evil')],
      ['an empty path', replaced(':path', '')],
      ['a fragment', replaced(':path', '/evil#x')],
      ['a method with a space', replaced(':method', 'GET /x')],
      ['two paths', [...PROPER, [':path', '/evil2']]],
      ['another host', [...PROPER, ['host', 'other.localhost']]],
      ['a user in the authority', replaced(':authority', 'a@app.localhost')],
      ['no authority', PROPER.filter(([name]) => name !== ':authority')],
      ['a pseudo-field behind others', [['x', 'y'], ...PROPER]],
      ['transfer-encoding', [...PROPER, ['transfer-encoding', 'chunked']]],
      ['connection', [...PROPER, ['connection', 'x-forwarded-for']]],
      ['upgrade', [...PROPER, ['upgrade', 'websocket']]],
      ['te that is not trailers', [...PROPER, ['te', 'gzip']]],
      ['a length without a body', [...PROPER, ['content-length', '5']]],
      ['two lengths', [...PROPER, ['content-length', '0'], ['content-length', '5']]],
    ];

    it(`${cases.length} kinds`, async () => {
      await start();
      for (const [what, fields] of cases) {
        const client = await suite.frames();
        client.request(1, fields);
        assert.ok(await client.resetOf(1), what);
        client.close();
      }
      assert.equal(suite.backend.all, '');
      const client = await suite.frames();
      client.request(1, PROPER);
      await eventually(() => suite.backend.all || undefined, 'the proper one');
    });

    it('fields that are none do not come over', async () => {
      await start();
      const fields: [string, string][] = [
        ['x', 'evil\r\nHost: b'],
        ['x', 'evil\nb'],
        ['x', 'evil\0b'],
        ['x: evil', 'z'],
        ['X-Evil', 'b'],
        ['x\r\nevil', 'z'],
      ];
      const client = await suite.frames();
      for (const [i, field] of fields.entries())
        client.request(2 * i + 1, [...PROPER.slice(0, 3), [':path', '/'], field]);
      await delay(200);
      assert.doesNotMatch(suite.backend.all, /evil/i);
    });

    it('a body that is longer or shorter than it said', async () => {
      // Answered early, it would be reset without an error.
      await start(() => {});
      for (const payload of [Buffer.from('abcdef'), Buffer.from('ab')]) {
        const client = await suite.frames();
        client.request(1, [...PROPER, ['content-length', '4']], END_HEADERS);
        client.send(FRAME.data, { flags: END_STREAM, stream: 1, payload });
        assert.ok(await client.resetOf(1));
      }
      assert.doesNotMatch(suite.backend.all, /abcde/);
    });

    it('CONNECT and a head that is too large get an answer', async () => {
      await start();
      const session = suite.open();
      const tunnel = session.request({ ':method': 'CONNECT', ':authority': 'app.localhost' });
      assert.equal((await finish(tunnel)).status, 405);
      const large = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`x-${i}`, 'y'.repeat(3500)]));
      const { status, code } = await get(session, '/', large);
      assert.ok(status === 431 || code !== 0, `${status} ${code}`);
    });
  });

  describe('floods are ended, by GOAWAY if that still comes through:', () => {
    const REQUEST = literals([
      [':method', 'GET'],
      [':scheme', 'https'],
      [':authority', 'app.localhost'],
      [':path', '/'],
    ]);
    const begin = (i: number, flags = END_HEADERS | END_STREAM) =>
      frame(FRAME.headers, { flags, stream: 2 * i + 1, payload: REQUEST });
    const reset = (i: number) =>
      frame(FRAME.reset, { stream: 2 * i + 1, payload: Buffer.from([0, 0, 0, 8]) });
    const both = (one: Buffer, other: Buffer) => Buffer.concat([one, other]);

    const floods: [what: string, frames: (i: number) => Buffer, times: number][] = [
      ['requests that are reset at once', (i) => both(begin(i), reset(i)), 5000],
      [
        'requests that make us reset them',
        (i) => both(begin(i), frame(FRAME.window, { stream: 2 * i + 1, payload: Buffer.alloc(4) })),
        5000,
      ],
      [
        'requests with a body behind their end',
        (i) => both(begin(i), frame(FRAME.data, { stream: 2 * i + 1, payload: Buffer.from('x') })),
        5000,
      ],
      ['PING', () => frame(FRAME.ping, { payload: Buffer.alloc(8) }), 20_000],
      ['SETTINGS', () => frame(FRAME.settings, { payload: Buffer.from([0, 4, 0, 1, 0, 0]) }), 20_000],
      [
        'PRIORITY',
        () => frame(FRAME.priority, { stream: 1, payload: Buffer.from([0, 0, 0, 3, 1]) }),
        500_000,
      ],
      [
        'WINDOW_UPDATE',
        (i) => frame(FRAME.window, { payload: Buffer.from([0, 0, 0, 1 + (i % 2)]) }),
        500_000,
      ],
      [
        'CONTINUATION without an end',
        (i) =>
          i === 0
            ? frame(FRAME.headers, { stream: 1, payload: REQUEST })
            : frame(FRAME.continuation, { stream: 1, payload: literals([['x', 'y']]) }),
        20_000,
      ],
      ['empty DATA', (i) => (i === 0 ? begin(0, END_HEADERS) : frame(FRAME.data, { stream: 1 })), 200_000],
      ['an unknown frame', () => frame(0x42, { payload: Buffer.alloc(100) }), 100_000],
    ];
    for (const [what, frames1, times] of floods) {
      it(what, async () => {
        await start(() => {});
        const client = await suite.frames();
        const code = await client.flood(frames1, times);
        // What the kernel had not read yet makes it reset the connection, which can take GOAWAY with it.
        assert.ok(code === undefined ? client.socket.closed : code !== 0, `${code}`);
        await eventually(() => suite.router.connections === 0 || undefined, 'no connections');
        assert.ok(
          suite.backend.sockets.length <= 500,
          `${suite.backend.sockets.length} connections to the dyno`,
        );
      });
    }

    it('work does not: 3,000 requests, of which every tenth is given up', async () => {
      await start();
      const session = suite.open();
      await once(session, 'remoteSettings');
      for (let batch = 0; batch < 30; batch++) {
        const all = Array.from({ length: 100 }, (_, i) => {
          const stream = session.request({ ...APP, ':path': `/${i}` });
          if (batch % 10 === 0 && i % 10 === 0) stream.close(8);
          return finish(stream);
        });
        await Promise.all(all);
      }
      assert.equal(session.destroyed, false);
      await delay(50);
      assert.equal((await get(session, '/last')).status, 200);
    });
  });
});
